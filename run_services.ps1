<#
.SYNOPSIS
Starts Service B, then Service A, each in a venv of its own, and shows both logs. Ctrl-C stops both.

.DESCRIPTION
For Windows PowerShell 5.1 and PowerShell 7 on Windows; needs nothing but Python 3.11 to 3.14.
Where scripts are not allowed to run: powershell -ExecutionPolicy Bypass -File run_services.ps1

The first start makes service_a\.venv and service_b\.venv and installs what each service's
requirements.txt lists. Later starts do so only when that list changed.
Both services listen on 127.0.0.1 only.

Environment:
  SERVICE_A_PORT         port of Service A (8000)
  SERVICE_B_PORT         port of Service B (8001)
  SERVICE_B_URL          where Service A sends its requests (http://127.0.0.1:8001/predict,
                         with the port of Service B)
  START_TIMEOUT_SECONDS  how long each service may take until it is healthy (60)
  PYTHON                 the Python for the venvs (python on the PATH, else the newest of 3.11 to
                         3.14 that the launcher py finds)
  NO_COLOR               if set, the logs have no colour

.PARAMETER Prepare
Only installs what this lock lists, for example requirements-dev.txt.

.PARAMETER Services
The services to install for, with -Prepare.

.PARAMETER Help
Shows this text.
#>
[CmdletBinding(PositionalBinding = $false)]
param(
    [string]$Prepare,
    [string[]]$Services = @('service_b', 'service_a'),
    [switch]$Help
)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# ---- Python and the venvs

# Gives the full path of a Python if it runs and has a version that the locked packages support.
function Get-SuitablePython([string]$Command, [string[]]$Arguments = @()) {
    if (-not (Get-Command $Command -ErrorAction SilentlyContinue)) { return }
    $ErrorActionPreference = 'Continue' # else what a command writes to stderr ends the script in 5.1
    $path = & $Command @Arguments -c 'import sys; print(sys.executable); sys.exit(sys.version_info[:2] not in [(3, 11), (3, 12), (3, 13), (3, 14)])' 2>$null
    if ($LASTEXITCODE -eq 0) { return $path }
}

function Find-Python {
    if ($env:PYTHON) {
        $path = Get-SuitablePython $env:PYTHON
        if ($path) { return $path }
        throw "PYTHON=$env:PYTHON is not a Python 3.11 to 3.14."
    }
    foreach ($command in 'python', 'python3') {
        $path = Get-SuitablePython $command
        if ($path) { return $path }
    }
    foreach ($version in '3.14', '3.13', '3.12', '3.11') {
        $path = Get-SuitablePython 'py' @("-$version")
        if ($path) { return $path }
    }
    throw 'no Python 3.11 to 3.14 was found, by the names python and python3 or by the launcher py. Install one (https://www.python.org/downloads/), or name yours: $env:PYTHON = "C:\path\to\python.exe"'
}

function Get-PythonVersion([string]$Python) {
    return & $Python -c 'import sys; print(sys.version.split()[0])'
}

function Test-Uv {
    return [bool](Get-Command 'uv' -ErrorAction SilentlyContinue)
}

# A venv is kept while its Python runs, is the one asked for, and something can install into it.
function Test-Venv([string]$Venv) {
    $venvPython = Join-Path $Venv 'Scripts\python.exe'
    if (-not (Get-SuitablePython $venvPython)) { return $false }
    if ($env:PYTHON) {
        $minor = '^\d+\.\d+'
        $has = [regex]::Match((Get-PythonVersion $venvPython), $minor).Value
        $wanted = [regex]::Match((Get-PythonVersion $python), $minor).Value
        if ($has -ne $wanted) { return $false }
    }
    return (Test-Uv) -or (Test-Path (Join-Path $Venv 'Scripts\pip.exe'))
}

function New-Venv([string]$Venv) {
    Write-Host "Making $Venv with Python $(Get-PythonVersion $python)"
    if (Test-Path $Venv) { Remove-Item -Recurse -Force $Venv }
    if (Test-Uv) { & uv venv --quiet --python $python $Venv } else { & $python -m venv $Venv }
    if ($LASTEXITCODE -ne 0) {
        throw "$Venv could not be made with $python. The embeddable package of Python has no venv module: install Python with its installer (https://www.python.org/downloads/)."
    }
}

# pip says at last that there is no such package when it could not ask for any.
function Get-FailedInstall([string]$Lock, [string]$Log) {
    $lines = @(Get-Content $Log)
    $reason = $lines -match 'connection broken|network was disabled|Failed to fetch|timed out' | Select-Object -Last 1
    if ($reason) {
        [Console]::Error.WriteLine($reason)
        return "the packages of $Lock could not be installed: their index can't be reached. Check the internet connection (and HTTPS_PROXY, where there is a proxy), then start again. More is in $Log."
    }
    $lines | Select-Object -Last 10 | ForEach-Object { [Console]::Error.WriteLine($_) }
    return "the packages of $Lock could not be installed; why stands above, and more in $Log."
}

# Makes or refreshes the venv of a service, if its lock or its Python changed since the last time.
function Initialize-Service([string]$Service, [string]$Lock) {
    $ErrorActionPreference = 'Continue'
    $venv = Join-Path $PSScriptRoot "$Service\.venv"
    $lockFile = Join-Path $PSScriptRoot "$Service\$Lock"
    $venvPython = Join-Path $venv 'Scripts\python.exe'
    $stamp = Join-Path $venv "$Lock.stamp"
    $log = Join-Path $venv 'install.log'
    if (-not (Test-Path $lockFile)) { throw "$lockFile does not exist." }
    if (-not (Test-Venv $venv)) { New-Venv $venv }
    $wanted = "$((Get-FileHash -Algorithm SHA256 $lockFile).Hash) $(Get-PythonVersion $venvPython)"
    if ((Test-Path $stamp) -and ((Get-Content $stamp) -eq $wanted)) { return }
    Write-Host "Installing the packages of $Service\$Lock"
    if (Test-Path $stamp) { Remove-Item $stamp }
    $output = if (Test-Uv) {
        & uv pip install --quiet --compile-bytecode --python $venvPython --requirement $lockFile 2>&1
    } else {
        & $venvPython -m pip install --quiet --disable-pip-version-check --requirement $lockFile 2>&1
    }
    $installed = $LASTEXITCODE -eq 0
    $output | ForEach-Object { "$_" } | Set-Content $log # else 5.1 breaks what was on stderr into short lines
    if (-not $installed) { throw (Get-FailedInstall "$Service\$Lock" $log) }
    Set-Content $stamp $wanted
}

# ---- Ports

function Read-Port([string]$Variable, [string]$Default) {
    $value = [Environment]::GetEnvironmentVariable($Variable)
    if (-not $value) { $value = $Default }
    if ($value -notmatch '^[1-9][0-9]{0,4}$' -or [int]$value -gt 65535) {
        throw "$Variable=$value is not a port; it must be a number from 1 to 65535."
    }
    return [int]$value
}

function Assert-PortIsFree([string]$Name, [string]$Variable, [int]$Port) {
    $listener = [System.Net.Sockets.TcpListener]::new([System.Net.IPAddress]::Loopback, $Port)
    $listener.ExclusiveAddressUse = $true
    try {
        $listener.Start()
    } catch {
        $reason = $_.Exception.GetBaseException().Message
        $other = if ($Port -gt 60000) { $Port - 1000 } else { $Port + 1000 }
        throw "port $Port, for $Name, cannot be used: $reason Stop what uses it, such as an earlier start of the lab, or choose another: `$env:$Variable = '$other'; .\run_services.ps1"
    } finally {
        $listener.Stop()
    }
}

# ---- The services

function Start-Python([string]$Service, [int]$Port, [string]$Prefix, [string]$Colour) {
    $env:HOST = '127.0.0.1'
    $env:PORT = "$Port"
    $env:PYTHONUNBUFFERED = '1'
    $env:PYTHONUTF8 = '1'
    $folder = Join-Path $PSScriptRoot $Service
    $outputs = 'out', 'err' | ForEach-Object { Join-Path $scratch "$Service.$_" }
    $process = Start-Process -FilePath (Join-Path $folder '.venv\Scripts\python.exe') -ArgumentList 'main.py' `
        -WorkingDirectory $folder -NoNewWindow -PassThru `
        -RedirectStandardOutput $outputs[0] -RedirectStandardError $outputs[1]
    $null = $process.Handle # without it, ExitCode stays empty
    foreach ($path in $outputs) {
        $stream = [System.IO.File]::Open($path, 'Open', 'Read', 'ReadWrite')
        $null = $logs.Add(@{ Prefix = $Prefix; Colour = $Colour; Reader = [System.IO.StreamReader]::new($stream); Rest = '' })
    }
    return $process
}

function Show-Logs {
    foreach ($log in $logs) {
        $lines = @(($log.Rest + $log.Reader.ReadToEnd()) -split "`r?`n")
        $log.Rest = $lines[-1]
        foreach ($line in $lines | Select-Object -SkipLast 1) {
            if ($env:NO_COLOR) {
                Write-Host "$($log.Prefix) | $line"
            } else {
                Write-Host "$($log.Prefix) | " -NoNewline -ForegroundColor $log.Colour
                Write-Host $line
            }
        }
    }
}

function Get-HttpStatus([int]$Port, [string]$Path) {
    try {
        return [int](Invoke-WebRequest -UseBasicParsing -TimeoutSec 2 -Uri "http://127.0.0.1:$Port$Path").StatusCode
    } catch {
        if ($_.Exception.Response) { return [int]$_.Exception.Response.StatusCode }
        return 0
    }
}

function Assert-Runs([string]$Name, $Process) {
    if (-not $Process.HasExited) { return }
    Show-Logs
    throw "$Name ended with status $($Process.ExitCode); its log is above."
}

function Wait-Healthy([string]$Name, $Process, [int]$Port) {
    $deadline = [DateTime]::UtcNow.AddSeconds($timeoutSeconds)
    while ((Get-HttpStatus $Port '/health') -ne 200) {
        Show-Logs
        Assert-Runs $Name $Process
        if ([DateTime]::UtcNow -ge $deadline) {
            if ((Get-HttpStatus $Port '/livez') -eq 200) {
                throw "$Name runs but has no model after $timeoutSeconds s: its /health is not 200; its log above says why."
            }
            throw "$Name is not healthy after $timeoutSeconds s (START_TIMEOUT_SECONDS)."
        }
        Start-Sleep -Milliseconds 500
    }
    Show-Logs
}

# ---- Main

if ($Help) {
    Get-Help $PSCommandPath -Detailed
    exit 0
}

if ($Prepare) {
    try {
        $python = Find-Python
        foreach ($service in $Services) { Initialize-Service $service $Prepare }
        exit 0
    } catch {
        [Console]::Error.WriteLine("run_services.ps1: $($_.Exception.Message)")
        exit 1
    }
}

$status = 0
$serviceA = $null
$serviceB = $null
$logs = New-Object System.Collections.ArrayList
$scratch = Join-Path ([System.IO.Path]::GetTempPath()) ([guid]::NewGuid().ToString())
$environmentBefore = @{}
foreach ($name in 'HOST', 'PORT', 'PYTHONUNBUFFERED', 'PYTHONUTF8', 'SERVICE_B_URL') {
    $environmentBefore[$name] = [Environment]::GetEnvironmentVariable($name)
}
# After Ctrl-C, which reaches the services too, they have time to end by themselves.
$graceMilliseconds = 12000

try {
    $aPort = Read-Port 'SERVICE_A_PORT' '8000'
    $bPort = Read-Port 'SERVICE_B_PORT' '8001'
    if ($aPort -eq $bPort) { throw "SERVICE_A_PORT and SERVICE_B_PORT are both $aPort; they must differ." }
    $timeoutSeconds = if ($env:START_TIMEOUT_SECONDS) { $env:START_TIMEOUT_SECONDS } else { '60' }
    if ($timeoutSeconds -notmatch '^[1-9][0-9]{0,4}$') {
        throw "START_TIMEOUT_SECONDS=$timeoutSeconds is not a whole number of seconds."
    }
    $python = Find-Python
    Assert-PortIsFree 'Service A' 'SERVICE_A_PORT' $aPort
    Assert-PortIsFree 'Service B' 'SERVICE_B_PORT' $bPort
    Initialize-Service 'service_b' 'requirements.txt'
    Initialize-Service 'service_a' 'requirements.txt'
    $null = New-Item -ItemType Directory $scratch

    $serviceB = Start-Python 'service_b' $bPort 'B' 'Magenta'
    Wait-Healthy 'Service B' $serviceB $bPort

    if (-not $env:SERVICE_B_URL) { $env:SERVICE_B_URL = "http://127.0.0.1:$bPort/predict" }
    $serviceA = Start-Python 'service_a' $aPort 'A' 'Cyan'
    Wait-Healthy 'Service A' $serviceA $aPort

    $key = if ($env:GATEWAY_API_KEYS) { " -Headers @{ 'X-API-Key' = 'ONE-OF-GATEWAY_API_KEYS' }" } else { '' }
    Write-Host @"

Both services are up. Ctrl-C stops them.

  Service A  http://localhost:$aPort  http://localhost:$aPort/docs
  Service B  http://localhost:$bPort  http://localhost:$bPort/docs

Try it in a second window:

  Invoke-RestMethod -Method Post http://localhost:$aPort/process -ContentType application/json$key ``
    -Body '{"data": {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}}'

"@

    while ($true) {
        Show-Logs
        Assert-Runs 'Service A' $serviceA
        Assert-Runs 'Service B' $serviceB
        Start-Sleep -Milliseconds 200
    }
} catch {
    [Console]::Error.WriteLine("run_services.ps1: $($_.Exception.Message)")
    $graceMilliseconds = 0
    $status = 1
} finally {
    foreach ($process in $serviceA, $serviceB) {
        # /T: the python.exe of a venv only starts another one.
        if ($process -and -not $process.WaitForExit($graceMilliseconds)) { $null = & taskkill /T /F /PID $process.Id }
    }
    Show-Logs
    foreach ($log in $logs) { $log.Reader.Close() }
    if (Test-Path $scratch) { Remove-Item -Recurse -Force $scratch -ErrorAction SilentlyContinue }
    foreach ($name in $environmentBefore.Keys) {
        if ($null -eq $environmentBefore[$name]) {
            Remove-Item "env:$name" -ErrorAction SilentlyContinue
        } else {
            Set-Item "env:$name" $environmentBefore[$name]
        }
    }
}
exit $status

<#
.SYNOPSIS
Runs every test of the lab, or only the walkthrough against running services.

.DESCRIPTION
For Windows PowerShell 5.1 and PowerShell 7 on Windows; needs Python 3.11 to 3.14.
Without arguments it runs every part, goes on after a failure, and ends with a summary;
the exit status is 0 if everything passed.

Parts:
  service_a    tests, ruff and mypy of Service A, in its own venv
  service_b    the same of Service B
  system       tests of both services as real processes, and of the scripts (tests\)
  walkthrough  the walkthrough, against both services started on free ports

.PARAMETER Only
Runs only this part.

.PARAMETER Walkthrough
Shows each call of the walkthrough and its answer, and checks the answer. Both services must be
running: at http://localhost:8000 and http://localhost:8001, or where -AUrl and -BUrl say. If they
ask for keys, set the same variables as for them: the first key of GATEWAY_API_KEYS goes to
Service A, PREDICTOR_API_KEY to Service B.

.PARAMETER AUrl
Where Service A is, for -Walkthrough.

.PARAMETER BUrl
Where Service B is, for -Walkthrough.

.PARAMETER Help
Shows this text.
#>
[CmdletBinding(PositionalBinding = $false)]
param(
    [ValidateSet('service_a', 'service_b', 'system', 'walkthrough')]
    [string]$Only,
    [switch]$Walkthrough,
    [string]$AUrl = 'http://localhost:8000',
    [string]$BUrl = 'http://localhost:8001',
    [switch]$Help
)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$runServices = Join-Path $PSScriptRoot 'run_services.ps1'

# ---- Walkthrough

$house = '{"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}'
$badHouse = '{"overall_qual": 7, "gr_liv_area": -1, "year_built": 2003, "neighborhood": "CollgCr"}'

# Gives the status and the text of an answer, whatever the status is.
function Send-Request([string]$Method, [string]$Url, [string]$Body, [string]$Key) {
    $request = @{ Method = $Method; Uri = $Url; UseBasicParsing = $true; TimeoutSec = 10 }
    if ($Key) { $request.Headers = @{ 'X-API-Key' = $Key } }
    if ($Body) {
        $request.Body = $Body
        $request.ContentType = 'application/json'
    }
    try {
        $response = Invoke-WebRequest @request
        return @{ Status = [int]$response.StatusCode; Text = $response.Content }
    } catch {
        if (-not $_.Exception.Response) { return @{ Status = 0; Text = $_.Exception.Message } }
        return @{ Status = [int]$_.Exception.Response.StatusCode; Text = $_.ErrorDetails.Message }
    }
}

# Shows one call and its answer, then checks the answer.
function Invoke-Call([string]$Title, [string]$Method, [string]$Url, [string]$Body, [scriptblock]$Check) {
    $count.Calls += 1
    Write-Host "`n$($count.Calls). $Title`n"
    # What is shown names the variable, not the key.
    if ($Url.StartsWith("$A/")) {
        $key = "$env:GATEWAY_API_KEYS".Split(',')[0]
        $variable = '"$env:GATEWAY_API_KEYS".Split('','')[0]'
    } else {
        $key = "$env:PREDICTOR_API_KEY"
        $variable = '$env:PREDICTOR_API_KEY'
    }
    $headers = if ($key) { " ```n    -Headers @{ 'X-API-Key' = $variable }" } else { '' }
    if ($Body) {
        Write-Host "> Invoke-RestMethod -Method Post $Url -ContentType application/json ```n    -Body '$Body'$headers"
    } else {
        Write-Host "> Invoke-RestMethod $Url$headers"
    }
    $response = Send-Request $Method $Url $Body $key
    Write-Host $response.Text
    $asExpected = $false
    try { $asExpected = & $Check $response.Status ($response.Text | ConvertFrom-Json) } catch { }
    if ($asExpected) {
        Write-Host "(status $($response.Status), as expected)"
    } else {
        $count.Wrong += 1
        Write-Host "(status $($response.Status)) NOT AS EXPECTED:$Check"
    }
}

function Test-Same($Answer, [string]$Json) {
    return ($Answer | ConvertTo-Json -Compress) -eq $Json
}

function Test-Price($Prediction) {
    return $Prediction.price -is [ValueType] -and $Prediction.price -gt 0
}

function Test-Location($Answer, [string]$Location) {
    return @($Answer.detail | Where-Object { ($_.loc[-2..-1] -join '/') -eq $Location }).Count -gt 0
}

function Invoke-Walkthrough([string]$A, [string]$B) {
    $count = @{ Calls = 0; Wrong = 0 }
    foreach ($service in @('Service A', $A), @('Service B', $B)) {
        if ((Send-Request 'Get' $service[1] '').Status -eq 0) {
            [Console]::Error.WriteLine("test_services.ps1: $($service[0]) does not answer at $($service[1]). Start both services in another window: .\run_services.ps1")
            return $false
        }
    }

    Invoke-Call 'Service A is there' 'Get' "$A/" '' {
        param($status, $answer)
        $status -eq 200 -and (Test-Same $answer '{"service":"Service A - Input Logger","status":"running"}')
    }
    Invoke-Call 'Service B is there' 'Get' "$B/" '' {
        param($status, $answer)
        $status -eq 200 -and (Test-Same $answer '{"service":"Service B - ML Prediction","status":"running"}')
    }
    Invoke-Call 'Service A is healthy' 'Get' "$A/health" '' {
        param($status, $answer)
        $status -eq 200 -and $answer.service -eq 'Service A' -and $answer.status -eq 'healthy'
    }
    Invoke-Call 'Service B is healthy: its model is loaded' 'Get' "$B/health" '' {
        param($status, $answer)
        $status -eq 200 -and $answer.service -eq 'Service B' -and $answer.status -eq 'healthy'
    }
    Invoke-Call 'Service A logs an input and forwards nothing' 'Post' "$A/process" "{`"data`": $house, `"forward_to_model`": false}" {
        param($status, $answer)
        $status -eq 200 -and (Test-Same $answer '{"status":"Input logged successfully"}')
    }
    Invoke-Call 'Service A logs an input and forwards it: the price comes back' 'Post' "$A/process" "{`"data`": $house}" {
        param($status, $answer)
        $status -eq 200 -and $answer.status -eq 'Input logged successfully' -and (Test-Price $answer.model_prediction.prediction)
    }
    Invoke-Call 'Service B answers for itself too' 'Post' "$B/predict" "{`"input`": $house}" {
        param($status, $answer)
        $status -eq 200 -and (Test-Price $answer.prediction)
    }
    Invoke-Call 'Service B refuses an area below zero and names the field' 'Post' "$B/predict" "{`"input`": $badHouse}" {
        param($status, $answer)
        $status -eq 422 -and (Test-Location $answer 'input/gr_liv_area')
    }
    Invoke-Call 'Through Service A the same mistake is found under data, where the caller put it' 'Post' "$A/process" "{`"data`": $badHouse}" {
        param($status, $answer)
        $status -eq 422 -and (Test-Location $answer 'data/gr_liv_area')
    }

    Write-Host "`n$($count.Calls) calls, $($count.Wrong) not as expected"
    return $count.Wrong -eq 0
}

# ---- Parts

$summary = New-Object System.Collections.ArrayList

# Runs one command, notes how it ended, and goes on. The command's last program decides.
function Invoke-Step([string]$Name, [scriptblock]$Command) {
    Write-Host "`n==== $Name"
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    $global:LASTEXITCODE = 0
    try {
        & $Command | Out-Host
        $passed = $LASTEXITCODE -eq 0
    } catch {
        Write-Host $_.Exception.Message
        $passed = $false
    }
    $null = $summary.Add(@{ Name = $Name; Passed = $passed; Seconds = [int]$clock.Elapsed.TotalSeconds })
    return $passed
}

function Invoke-PythonModule([string]$Service, [string]$Folder, [string[]]$Arguments) {
    $ErrorActionPreference = 'Continue' # a line on stderr is no failure
    Push-Location (Join-Path $PSScriptRoot $Folder)
    try {
        & (Join-Path $PSScriptRoot "$Service\.venv\Scripts\python.exe") -m @Arguments
    } finally {
        Pop-Location
    }
}

function Test-Service([string]$Service, [string[]]$Typed) {
    if (-not (Invoke-Step "${Service}: packages" { & $runServices -Prepare requirements-dev.txt -Services $Service })) { return }
    $null = Invoke-Step "${Service}: tests" { Invoke-PythonModule $Service $Service @('pytest', 'tests') }
    $null = Invoke-Step "${Service}: ruff and mypy" {
        Invoke-PythonModule $Service $Service @('ruff', 'check', '.')
        if ($LASTEXITCODE -eq 0) { Invoke-PythonModule $Service $Service @('ruff', 'format', '--check', '.') }
        if ($LASTEXITCODE -eq 0) { Invoke-PythonModule $Service $Service (@('mypy') + $Typed) }
    }
}

function Initialize-Both {
    & $runServices -Prepare requirements-dev.txt -Services service_a
    if ($LASTEXITCODE -eq 0) { & $runServices -Prepare requirements.txt -Services service_b }
}

function Test-System {
    if (-not (Invoke-Step 'system: packages' { Initialize-Both })) { return }
    $others = '--extend-exclude', 'service_a', '--extend-exclude', 'service_b', '.'
    $null = Invoke-Step 'system: tests' { Invoke-PythonModule 'service_a' '.' @('pytest', 'tests') }
    $null = Invoke-Step 'system: ruff and mypy' {
        Invoke-PythonModule 'service_a' '.' (@('ruff', 'check') + $others)
        if ($LASTEXITCODE -eq 0) { Invoke-PythonModule 'service_a' '.' (@('ruff', 'format', '--check') + $others) }
        if ($LASTEXITCODE -eq 0) { Invoke-PythonModule 'service_a' '.' @('mypy', 'tests', 'benchmarks') }
    }
}

function Find-FreePort {
    $listener = [System.Net.Sockets.TcpListener]::new([System.Net.IPAddress]::Loopback, 0)
    $listener.Start()
    try { return $listener.LocalEndpoint.Port } finally { $listener.Stop() }
}

function Invoke-OwnWalkthrough {
    $names = 'SERVICE_A_PORT', 'SERVICE_B_PORT', 'INPUT_LOG_URL'
    $before = @{}
    foreach ($name in $names) { $before[$name] = [Environment]::GetEnvironmentVariable($name) }
    $scratch = Join-Path ([System.IO.Path]::GetTempPath()) ([guid]::NewGuid().ToString())
    $null = New-Item -ItemType Directory $scratch
    $services = $null
    try {
        $env:SERVICE_A_PORT = "$(Find-FreePort)"
        $env:SERVICE_B_PORT = "$(Find-FreePort)"
        $env:INPUT_LOG_URL = "sqlite:///$($scratch.Replace('\', '/'))/inputs.db"
        $a = "http://localhost:$env:SERVICE_A_PORT"
        $b = "http://localhost:$env:SERVICE_B_PORT"
        $log = Join-Path $scratch 'services.log'
        $services = Start-Process -FilePath (Get-Process -Id $PID).Path -PassThru -NoNewWindow `
            -ArgumentList '-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', "`"$runServices`"" `
            -RedirectStandardOutput $log -RedirectStandardError (Join-Path $scratch 'errors.log')
        while ((Send-Request 'Get' "$a/health" '').Status -ne 200 -and -not $services.HasExited) {
            Start-Sleep -Milliseconds 500
        }
        & $PSCommandPath -Walkthrough -AUrl $a -BUrl $b
        if ($LASTEXITCODE -ne 0) { Get-Content $log, (Join-Path $scratch 'errors.log') | Out-Host }
    } finally {
        $walked = $global:LASTEXITCODE
        if ($services -and -not $services.HasExited) { $null = & taskkill /T /F /PID $services.Id }
        $global:LASTEXITCODE = $walked
        Remove-Item -Recurse -Force $scratch -ErrorAction SilentlyContinue
        foreach ($name in $names) {
            if ($null -eq $before[$name]) {
                Remove-Item "env:$name" -ErrorAction SilentlyContinue
            } else {
                Set-Item "env:$name" $before[$name]
            }
        }
    }
}

function Test-Walkthrough {
    if (-not (Invoke-Step 'walkthrough: packages' { Initialize-Both })) { return }
    $null = Invoke-Step 'walkthrough' { Invoke-OwnWalkthrough }
}

# ---- Main

if ($Help) {
    Get-Help $PSCommandPath -Detailed
    exit 0
}

if ($Walkthrough) {
    if (Invoke-Walkthrough ($AUrl.TrimEnd('/')) ($BUrl.TrimEnd('/'))) { exit 0 }
    exit 1
}

$parts = if ($Only) { @($Only) } else { 'service_a', 'service_b', 'system', 'walkthrough' }
foreach ($part in $parts) {
    switch ($part) {
        'service_a' { Test-Service 'service_a' @('main.py', 'gateway', 'tests') }
        'service_b' { Test-Service 'service_b' @('main.py', 'predictor', 'training', 'tests') }
        'system' { Test-System }
        'walkthrough' { Test-Walkthrough }
    }
}

Write-Host "`n==== Summary"
foreach ($step in $summary) {
    $result = if ($step.Passed) { 'passed' } else { 'failed' }
    Write-Host ('{0}  {1,4} s  {2}' -f $result, $step.Seconds, $step.Name)
}
if (@($summary | Where-Object { -not $_.Passed }).Count -gt 0) { exit 1 }
exit 0

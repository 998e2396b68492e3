# Finds a Python 3.11 to 3.14 and hands over to it, for the two scripts that read this.
# For Windows PowerShell 5.1 and PowerShell 7, on Windows and elsewhere.

# Gives the full path of a Python if it runs and has a version that the locked packages support.
function Get-SuitablePython([string]$Command, [string[]]$Arguments = @()) {
    if (-not (Get-Command $Command -ErrorAction SilentlyContinue)) { return }
    $ErrorActionPreference = 'Continue' # else what a command writes to stderr ends the script in 5.1
    $path = & $Command @Arguments -E -c 'import sys; print(sys.executable); sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>$null
    if ($LASTEXITCODE -eq 0) { return $path }
}

function Find-Python {
    if ($env:PYTHON) {
        Get-SuitablePython $env:PYTHON
        return
    }
    foreach ($command in 'python', 'python3') { Get-SuitablePython $command }
    foreach ($version in '3.14', '3.13', '3.12', '3.11') {
        Get-SuitablePython 'py' @("-$version")
        Get-SuitablePython "python$version"
    }
}

function Invoke-Lab([string]$Script, [string[]]$Arguments) {
    $python = Find-Python | Select-Object -First 1
    if (-not $python) {
        $problem = 'no Python 3.11 to 3.14 was found, by the names python and python3 or by the launcher py. Install one (https://www.python.org/downloads/), or name yours: $env:PYTHON = "C:\path\to\python.exe"'
        if ($env:PYTHON) { $problem = "PYTHON=$env:PYTHON is not a Python 3.11 to 3.14." }
        [Console]::Error.WriteLine("${Script}: $problem")
        exit 1
    }
    Push-Location -LiteralPath (Split-Path $PSScriptRoot)
    try { & $python -E -s -m lab $Script @Arguments } finally { Pop-Location }
    exit $LASTEXITCODE
}

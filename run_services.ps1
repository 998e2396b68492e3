<#
.SYNOPSIS
Starts Service B, then Service A, each in a venv of its own, and shows both logs. Ctrl-C stops both.
.DESCRIPTION
Needs nothing but Python 3.11 to 3.14. How it is done is in lab\; -Help says what can be asked for.
Where scripts are not allowed to run: powershell -ExecutionPolicy Bypass -File run_services.ps1
#>
[CmdletBinding(PositionalBinding = $false)]
param(
    [string]$Prepare,
    [string[]]$Services = @('service_b', 'service_a'),
    [switch]$Faults,
    [switch]$Help
)

$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'lab/find_python.ps1')
$arguments = @()
if ($Help) { $arguments = @('--help') }
elseif ($Faults) { $arguments = @('--faults') }
elseif ($Prepare) { $arguments = @('--prepare', $Prepare) + $Services }
Invoke-Lab 'run_services.ps1' $arguments

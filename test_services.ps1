<#
.SYNOPSIS
Runs every test of the lab, only the walkthrough against running services, or a check of a server in Service B's place.
.DESCRIPTION
Needs nothing but Python 3.11 to 3.14. How it is done is in lab\; -Help says what can be asked for.
#>
[CmdletBinding(PositionalBinding = $false)]
param(
    [ValidateSet('service_a', 'service_b', 'system', 'walkthrough')]
    [string]$Only,
    [switch]$Walkthrough,
    [switch]$Step,
    [string]$AUrl = 'http://localhost:8000',
    [string]$BUrl = 'http://localhost:8001',
    [string]$CheckB,
    [string]$InputFile,
    [switch]$Help
)

$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'lab/find_python.ps1')
$arguments = @()
if ($Help) { $arguments = @('--help') }
elseif ($Walkthrough) { $arguments = @('--walkthrough') + @('--step' | Where-Object { $Step }) + @($AUrl, $BUrl) }
elseif ($Step) { $arguments = @('--step') }
elseif ($CheckB) { $arguments = @('--check-b', $CheckB) + @($InputFile | Where-Object { $_ }) }
elseif ($Only) { $arguments = @('--only', $Only) }
Invoke-Lab 'test_services.ps1' $arguments

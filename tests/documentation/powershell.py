"""PowerShell blocks, written so that all of their answers can be read."""

_SCRIPT = """
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
try {{
    $answers = . {{
{block}
    }}
}} catch {{
    # The answer with an error status, which PowerShell shows as an error.
    if (-not $_.ErrorDetails) {{ throw }}
    $answers = $_.ErrorDetails.Message
}}
foreach ($answer in $answers) {{
    $isText = $answer -is [string] -or $answer -is [Microsoft.PowerShell.Commands.MatchInfo]
    if ($isText) {{ "$answer" }} else {{ ConvertTo-Json -InputObject $answer -Depth 99 -Compress }}
}}
"""


def write_script(block: str) -> str:
    """Write a script that prints what a block gives: objects, text or an error, as JSON or text."""
    return _SCRIPT.format(block=block)

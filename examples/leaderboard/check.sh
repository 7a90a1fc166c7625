#!/usr/bin/env bash
# Whether one submission holds: ./check.sh submissions/NAME [CLIPS to measure again]
# Prints Markdown, with the submission's row where it does; ends with status 1 where it does not.
set -uo pipefail
folder=${1:?is missing: ./check.sh submissions/NAME [CLIPS to measure again]} again=${2:-0} board=$(<board.txt) holds=true

folder=${folder%/}
if [[ ! $folder =~ ^submissions/[A-Za-z0-9._-]+$ ]]; then
    echo "## A submission with another name"
    echo "It must be submissions/NAME, and NAME of letters, digits, dots, underscores and hyphens."
    exit 1
fi
said=$(vssbench verify "$folder" --again "$again" 2>&1) || holds=false
if lines=$(vssbench cite "$folder" --figures mIoU 2>&1); then
    others=$(grep -vF "mIoU|$board|" <<< "$lines")
    if [[ -n $others ]]; then
        holds=false said+=$'\n'"not of this board, mIoU|$board|...:"$'\n'"$others"
    fi
else
    holds=false said+=$'\n'"$lines"
fi

$holds && outcome=verified || outcome="does not hold"
echo "## $folder: $outcome"
printf '\n````text\n%s\n````\n' "$said"
$holds && vssbench report "$folder" --format md | sed '1d; s/^## /### /'
$holds

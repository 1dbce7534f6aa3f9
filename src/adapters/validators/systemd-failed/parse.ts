/** Names of units: the first column of `systemctl list-units --plain --no-legend`. */
export const parseFailed = (stdout: string): readonly string[] =>
  stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((name) => name !== '');

/** Units that failed, one a line, as systemctl(1) prints them for programs. The system's manager: `--system`. */
export const listFailed = (): string[] => [
  ...['--system', '--no-pager', '--no-ask-password', '--no-legend', '--plain', '--full', '--all'],
  ...['list-units', '--state=failed'],
];

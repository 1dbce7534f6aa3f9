/** docker(1); podman takes the same. */
export const all: readonly string[] = ['container', 'ls', '--all', '--quiet', '--no-trunc'];

/** A line for each, its fields as JSON between tabs: all that an engine knows of one is some 10 KB. The id without `json`,
 *  since podman (4.3) knows its name only where it stands alone. */
const FIELDS = [
  ...['.Name', '.State.Running', '.State.Paused', '.HostConfig.AutoRemove', '.Created', '.Config.Labels'],
  ...['.Mounts', '.NetworkSettings'],
];
const FORMAT = ['"{{.Id}}"', ...FIELDS.map((field) => `{{json ${field}}}`)].join('\t');
export const inspect = (ids: readonly string[]): string[] => ['container', 'inspect', '--format', FORMAT, ...ids];

export const execute = (container: string, argv: readonly string[], user: string | null): string[] => [
  ...['container', 'exec', ...(user === null ? [] : ['--user', user]), container, ...argv],
];

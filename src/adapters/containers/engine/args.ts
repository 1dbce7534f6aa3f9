/** docker(1); podman takes the same. */
export const all: readonly string[] = ['container', 'ls', '--all', '--quiet', '--no-trunc'];

/** A line for each, its fields as JSON between tabs: all that an engine knows of one is some 10 KB. */
const FIELDS = [
  ...['.Id', '.Name', '.State.Running', '.State.Paused', '.HostConfig.AutoRemove', '.Created', '.Config.Labels'],
  ...['.Mounts', '.NetworkSettings'],
];
export const inspect = (ids: readonly string[]): string[] => [
  ...['container', 'inspect', '--format', FIELDS.map((field) => `{{json ${field}}}`).join('\t'), ...ids],
];

export const execute = (container: string, argv: readonly string[], user: string | null): string[] => [
  ...['container', 'exec', ...(user === null ? [] : ['--user', user]), container, ...argv],
];

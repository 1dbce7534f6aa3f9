/** docker-container(1); podman takes the same. */
export const inspect = (names: readonly string[]): string[] => ['container', 'inspect', '--', ...names];
export const start = (name: string): string[] => ['container', 'start', '--', name];
export const stop = (name: string, graceSeconds: number): string[] => [
  ...['container', 'stop', '--time', `${graceSeconds}`, '--', name],
];
/** The numbers that the host gives to the container's processes. */
export const top = (program: 'docker' | 'podman', name: string): string[] =>
  program === 'docker' ? ['container', 'top', name, '-eo', 'pid'] : ['container', 'top', name, 'hpid'];
/** All containers of a Compose project, by the label that every Compose sets. */
export const ofProject = (project: string): string[] => [
  ...['container', 'ls', '--all', '--quiet', '--no-trunc', '--filter', `label=${PROJECT_LABEL}=${project}`],
];
export const PROJECT_LABEL = 'com.docker.compose.project';

/** docker(1); podman takes the same. */
export const inspect = (volume: string): string[] => ['volume', 'inspect', volume];
export const create = (volume: string): string[] => ['volume', 'create', volume];

/** Where volumes of the driver `local` are: below the folder that this prints. */
export const rootFolder = (program: 'docker' | 'podman'): string[] =>
  program === 'docker'
    ? ['info', '--format', '{{.DockerRootDir}}/volumes']
    : ['info', '--format', '{{.Store.VolumePath}}'];

/** Where the engine is that the client speaks to: a URL, or for podman `true` when it is another machine's. */
export const endpoint = (program: 'docker' | 'podman'): string[] =>
  program === 'docker'
    ? ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']
    : ['info', '--format', '{{.Host.ServiceIsRemote}}'];

/** Where a reader has the volume. */
export const READ_AT = '/holdfast-volume';
/** Says whose the container is: what a crash left is removed by it. */
export const OWNER_LABEL = 'holdfast.owner';

/** An image of nothing, of the tar on stdin: it prints its identity. */
export const importImage: readonly string[] = ['image', 'import', '-'];
/** A container that is never started. An image without a command needs one here; it is not looked for. */
export const createReader = (volume: string, image: string, owner: string): string[] => [
  ...['container', 'create', '--network', 'none', '--label', `${OWNER_LABEL}=${owner}`],
  ...['--volume', `${volume}:${READ_AT}:ro`, image, 'none'],
];
export const copyOut = (container: string): string[] => ['container', 'cp', `${container}:${READ_AT}`, '-'];
export const removeContainer = (container: string): string[] => ['container', 'rm', '--force', container];
export const removeImage = (image: string): string[] => ['image', 'rm', image];

/** Containers that have a volume, whether they run or not. */
export const havingVolume = (volume: string): string[] => [
  ...['container', 'ls', '--all', '--quiet', '--no-trunc', '--filter', `volume=${volume}`],
];
/** A line for each: its id, when it was started last, whether it runs, and of each volume the name and whether it can
 *  write to it. */
export const inspectWriters = (ids: readonly string[]): string[] => [
  ...['container', 'inspect', '--format'],
  '{{.Id}} {{.State.StartedAt}} {{.State.Running}}{{range .Mounts}} {{.Name}}={{.RW}}{{end}}',
  ...ids,
];

export const readers: readonly string[] = [
  ...['container', 'ls', '--all', '--quiet', '--no-trunc', '--filter', `label=${OWNER_LABEL}`],
];
export const inspectReaders = (ids: readonly string[]): string[] => ['container', 'inspect', ...ids];

/** docker(1); podman takes the same. */
const LABEL = 'io.holdfast.drill';

/** Waits for nothing, and reaps what others leave behind. */
const WAIT = `trap 'exit 0' TERM; while :; do sleep 3600 & wait "$!"; done`;

/** Prints the id of its image, and the name that it was chosen by. */
export const image = (container: string): string[] => [
  ...['container', 'inspect', '--format', '{{.Image}} {{.Config.Image}}', container],
];

/** A field of comma-separated values (RFC 4180), as the client reads `--mount`. */
const field = (text: string): string => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** A container that does nothing by itself: programs are started in it. It sees `folder` at the same path, and nothing
 *  else of this machine; a folder that the engine does not see is an error. */
export const create = (imageId: string, name: string, folder: string): string[] => [
  ...['container', 'create', '--pull', 'never', '--name', name, '--label', `${LABEL}=${name}`, '--network', 'none'],
  ...['--user', '0:0', '--workdir', '/', '--restart', 'no', '--no-healthcheck', '--shm-size', '1g'],
  ...['--security-opt', 'label=disable'], // SELinux lets no container into a folder that is not labelled for it
  ...['--mount', `type=bind,${field(`source=${folder}`)},${field(`target=${folder}`)}`],
  ...['--entrypoint', 'sh', imageId, '-c', WAIT],
];

export const start = (name: string): string[] => ['container', 'start', name];

export const labelled = (name: string): string[] => [
  ...['container', 'ls', '--all', '--quiet', '--no-trunc', '--filter', `label=${LABEL}=${name}`],
];

/** With the volumes that the image itself declares. */
export const remove = (id: string): string[] => ['container', 'rm', '--force', '--volumes', id];

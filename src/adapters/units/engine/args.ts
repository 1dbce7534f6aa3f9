import { PROJECT_LABEL } from '../../../domain/compose-labels.ts';

/** docker-container(1); podman takes the same. */
export const inspect = (names: readonly string[]): string[] => ['container', 'inspect', '--', ...names];
export const start = (name: string): string[] => ['container', 'start', '--', name];
export const stop = (name: string, graceSeconds: number): string[] => [
  ...['container', 'stop', '--time', `${graceSeconds}`, '--', name],
];
/** The numbers that the host gives to the container's processes. */
export const top = (program: 'docker' | 'podman', name: string): string[] =>
  program === 'docker' ? ['container', 'top', name, '-eo', 'pid'] : ['container', 'top', name, 'hpid'];
/** All containers of a Compose project, or of all when null, by the label that every Compose sets. */
export const ofProject = (project: string | null): string[] => [
  ...['container', 'ls', '--all', '--quiet', '--no-trunc', '--filter'],
  project === null ? `label=${PROJECT_LABEL}` : `label=${PROJECT_LABEL}=${project}`,
];
/** Names of images of our own, by which the engine's clean-up leaves them alone. */
const KEPT = 'holdfast-kept';
export const keptName = (label: string, identity: string): string =>
  `${KEPT}:${label}-${identity.replace(/^sha256:/, '').slice(0, 16)}`;
export const keptUnder = (label: string): string[] => [
  ...['image', 'ls', '--filter', `reference=${KEPT}:${label}-*`, '--format', '{{.Repository}}:{{.Tag}}'],
];
export const tag = (identity: string, name: string): string[] => ['image', 'tag', identity, name];
/** Takes one name away; the image goes with the last one. */
export const untag = (name: string): string[] => ['image', 'rm', name];
export const identityOf = (name: string): string[] => ['image', 'inspect', '--format', '{{.Id}}', name];

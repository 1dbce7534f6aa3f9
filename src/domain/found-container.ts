import { ONE_OFF_LABEL, PROJECT_LABEL, projectFilesIn, projectFolderIn, SERVICE_LABEL } from './compose-labels.ts';

/** A container that runs, as far as a proposal needs it. */
export interface SeenContainer {
  readonly id: string;
  readonly name: string;
  /** As it was asked for: `docker.io/library/postgres:16`. */
  readonly image: string;
  readonly environment: ReadonlyMap<string, string>;
  readonly labels: Readonly<Record<string, string>>;
  readonly mounts: readonly SeenMount[];
  /** Where ports of the container are published on this machine: `5984/tcp` and a number. */
  readonly ports: ReadonlyMap<string, number>;
}

export interface SeenMount {
  readonly type: string;
  /** Of a volume. */
  readonly name: string;
  /** Of what is bound: a path of this machine. */
  readonly source: string;
  readonly target: string;
  readonly writable: boolean;
}

/** Containers that are one service: a Compose project, or one that was started alone. */
export interface ContainerGroup {
  readonly name: string;
  readonly containers: readonly SeenContainer[];
  /** The project's folder; null for one that was started alone. */
  readonly folder: string | null;
  /** The project's files; none for one that was started alone. */
  readonly files: readonly string[];
}

/** By their projects, then those that were started alone, each by itself. Containers of `compose run` are left out. */
export function groupsOf(containers: readonly SeenContainer[]): readonly ContainerGroup[] {
  const projects = new Map<string, SeenContainer[]>();
  const alone: ContainerGroup[] = [];
  for (const container of containers) {
    const project = container.labels[PROJECT_LABEL];
    if (container.labels[ONE_OFF_LABEL] === 'True') continue;
    if (project === undefined) {
      alone.push({ name: container.name, containers: [container], folder: null, files: [] });
      continue;
    }
    projects.set(project, [...(projects.get(project) ?? []), container]);
  }
  const composed = [...projects].map(([name, members]) => {
    const labels = members[0]?.labels ?? {};
    const folder = projectFolderIn(labels) ?? null;
    const files = projectFilesIn(labels, folder);
    const inOrder = members.toSorted((left, right) => (left.name < right.name ? -1 : 1));
    return { name, containers: inOrder, folder, files };
  });
  return [...composed, ...alone];
}

/** What it is called among its own: its name in the compose file. */
export const memberName = ({ labels, name }: SeenContainer): string => labels[SERVICE_LABEL] ?? name;

/** It asks to be stopped while what it writes is read (interface, section 8). */
export const wantsStop = ({ labels }: SeenContainer): boolean =>
  !['', 'false', undefined].includes(labels['docker-volume-backup.stop-during-backup']?.toLowerCase());

/** Docker makes up the name of a volume that nobody named. */
const UNNAMED = /^[0-9a-f]{64}$/;

/** Volumes with a name, each once. */
export const volumesOf = (containers: readonly SeenContainer[]): readonly string[] => [
  ...new Set(
    containers.flatMap(({ mounts }) =>
      mounts.flatMap(({ type, name, writable }) => (type === 'volume' && writable && !UNNAMED.test(name) ? name : [])),
    ),
  ),
];

/** Paths of this machine that it may write, each once. */
export const boundPaths = (containers: readonly SeenContainer[]): readonly string[] => [
  ...new Set(
    containers.flatMap(({ mounts }) =>
      mounts.flatMap(({ type, source, writable }) => (type === 'bind' && writable ? source : [])),
    ),
  ),
];

import type { ServiceDefinition } from './definitions.ts';
import { isBelow } from './tree-path.ts';

export interface ContainerMount {
  readonly kind: 'volume' | 'bind' | 'other';
  /** The name of the volume, or the path on the engine's machine. */
  readonly source: string;
  /** Of a volume: the folder on the engine's machine. */
  readonly folder?: string;
  readonly writable: boolean;
  /** Paths of a service that are in it, or around it, though their names do not say so. */
  readonly shows?: readonly string[];
}

/** One container, running or not. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly running: boolean;
  /** It runs and stands still: its processes are frozen. */
  readonly paused?: boolean;
  /** Its engine removes it when it ends (`--rm`), so that it could not start again. */
  readonly removedAtEnd?: boolean;
  /** ISO 8601. Containers of one project are made in the order in which they need each other. */
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly mounts: readonly ContainerMount[];
  /** How programs of its machine reach it; left out where it is not told. */
  readonly reached?: {
    /** Its own name, and those and the addresses that it has in networks. */
    readonly names: readonly string[];
    /** Ports of the machine that are its own. */
    readonly ports: readonly number[];
  };
  /** True for the one that this program runs in, which is never stopped. */
  readonly own: boolean;
}

/** Where a source has its data, as containers may have it mounted. */
export interface Place {
  readonly source: string;
  readonly kind: ContainerMount['kind'];
  /** As {@link ContainerMount}. */
  readonly at: string;
}

/** Places of a service that containers can share: its volumes, and its paths. */
export const placesOf = ({ sources }: Pick<ServiceDefinition, 'sources'>): readonly Place[] =>
  sources.flatMap(({ name: source, kind, settings }): readonly Place[] => {
    const said = Object(settings) as { volume?: string; files?: readonly string[]; sqlite?: string };
    if (kind === 'volume' && said.volume !== undefined) return [{ source, kind, at: said.volume }];
    const { files = [], sqlite = '' } = said;
    const byKind: Readonly<Record<string, readonly string[]>> = { files, sqlite: [sqlite] };
    return (byKind[kind] ?? []).filter((at) => at !== '').map((at) => ({ source, kind: 'bind', at }));
  });

/** Those of the places that a container has mounted, or a part of them, or something around them. */
export const sharedBy = (
  { mounts }: Pick<Container, 'mounts'>,
  places: readonly Place[],
  { writable }: { readonly writable: boolean },
): readonly Place[] =>
  places.filter(({ kind, at }) =>
    mounts.some(
      (mount) =>
        (mount.writable || !writable) &&
        (kind === 'volume' ? mount.kind === kind && mount.source === at : isMountOf(mount, at)),
    ),
  );

/** Whether a path is in a mount, or around it. It may lead into a volume's folder, too. */
export function isMountOf({ kind, source, folder = '', shows = [] }: ContainerMount, path: string): boolean {
  const mounted = kind === 'volume' ? folder : source;
  if (shows.includes(path)) return true;
  return kind !== 'other' && mounted !== '' && (isBelow(mounted, path) || isBelow(path, mounted));
}

/** A container that runs and can write to what a source reads. */
export interface Writer {
  readonly source: string;
  readonly container: string;
  /** Whether it stops while the service is read. */
  readonly stops: boolean;
}

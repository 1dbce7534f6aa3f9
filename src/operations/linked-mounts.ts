import { type Container, type ContainerMount, isMountOf, type Place } from '../domain/containers.ts';
import type { Host } from '../ports/host.ts';

/** A network file system whose server is away answers nobody, and anybody's container may have one mounted. */
const LOOK_LIMIT_MS = 5000;

/** Containers as they are, with what their mounts show of these places under another name: the engine tells the path that
 *  it was given, and a symbolic link on either side hides that both are one folder. Where paths cannot be looked at they
 *  are taken as they stand. */
export async function withLinkedPlaces(
  containers: readonly Container[],
  places: readonly Place[],
  host: Pick<Host, 'run'>,
  signal: AbortSignal,
): Promise<readonly Container[]> {
  const paths = places.flatMap(({ kind, at }) => (kind === 'bind' ? at : []));
  const bound = containers.flatMap(({ mounts }) =>
    mounts.flatMap(({ kind, source }) => (kind === 'bind' ? source : [])),
  );
  if (paths.length === 0 || bound.length === 0) return containers;
  const real = await realPaths([...new Set([...paths, ...bound])], host, signal);
  const looked = (mount: ContainerMount): ContainerMount => {
    if (mount.kind !== 'bind') return mount;
    const source = real.get(mount.source) ?? mount.source;
    const shows = paths.filter((path) => isMountOf({ ...mount, source }, real.get(path) ?? path));
    return shows.length === 0 ? mount : { ...mount, shows };
  };
  return containers.map((one) => ({ ...one, mounts: one.mounts.map(looked) }));
}

/** In a program of its own: a call that hangs in this process would keep it from ending. */
async function realPaths(
  paths: readonly string[],
  host: Pick<Host, 'run'>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const args = ['--canonicalize-missing', '--zero', '--', ...paths];
  try {
    const { stdout } = await host.run({ program: 'realpath', args }, { signal, limitMs: LOOK_LIMIT_MS });
    const found = stdout.split('\0');
    return new Map(paths.map((path, index) => [path, found[index] ?? path]));
  } catch {
    signal.throwIfAborted();
    return new Map();
  }
}

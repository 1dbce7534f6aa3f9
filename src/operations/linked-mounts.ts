import { type Container, type ContainerMount, isMountOf, type Place } from '../domain/containers.ts';
import type { HostFiles } from '../ports/host.ts';

/** Containers as they are, with what their mounts show of these places under another name: the engine tells the path that
 *  it was given, and a symbolic link on either side hides that both are one folder. A path that cannot be looked at is
 *  taken as it stands. */
export async function withLinkedPlaces(
  containers: readonly Container[],
  places: readonly Place[],
  files: Pick<HostFiles, 'realPath'>,
  signal: AbortSignal,
): Promise<readonly Container[]> {
  const known = new Map<string, Promise<string>>();
  const real = (path: string): Promise<string> => {
    const found = known.get(path) ?? files.realPath(path, signal).catch(() => path);
    known.set(path, found);
    return found;
  };
  const paths = await Promise.all(
    places.flatMap(({ kind, at }) => (kind === 'bind' ? [real(at).then((there) => ({ at, there }))] : [])),
  );
  if (paths.length === 0) return containers;
  const looked = async (mount: ContainerMount): Promise<ContainerMount> => {
    if (mount.kind !== 'bind') return mount;
    const source = await real(mount.source);
    const shows = paths.filter(({ there }) => isMountOf({ ...mount, source }, there)).map(({ at }) => at);
    return shows.length === 0 ? mount : { ...mount, shows };
  };
  return await Promise.all(
    containers.map(async (one) => ({ ...one, mounts: await Promise.all(one.mounts.map(looked)) })),
  );
}

import * as z from 'zod';
import { HoldfastError } from '../../../domain/errors.ts';
import { isBelow } from '../../../domain/tree-path.ts';
import type { Host } from '../../../ports/host.ts';
import { type EngineClient, engineRefused } from '../../../process/engine-client.ts';

/** Docker Engine API 1.41, ContainerInspect, Mounts; podman prints the same names. */
const mountsSchema = z.array(z.object({ Source: z.string(), Destination: z.string() }));

/** A folder of a container as its host has it. */
export interface Outside {
  readonly path: string;
  /** Whether the container has just this folder mounted, so that it has to stay. */
  readonly mounted: boolean;
  /** The name inside of what lies in the same mount. */
  inside(path: string): string;
}

/** Where a folder of a container that runs lies on its host: in a volume, or a folder that is mounted. What only looks
 *  like it, on another machine's engine, is not taken for it.
 *  @throws Refused, saying why it cannot be exchanged from outside */
export async function outsideOf(
  folder: string,
  container: { readonly name: string; readonly host: Host },
  outer: Host,
  engine: EngineClient,
  signal: AbortSignal,
): Promise<Outside> {
  const ended = await engine.ask(['container', 'inspect', '--format', '{{json .Mounts}}', container.name], signal);
  if (ended.exitCode !== 0)
    throw engineRefused(`Container ${container.name} could not be looked at`, container.name, ended);
  const refused = (why: string): HoldfastError =>
    new HoldfastError('Refused', `${folder} of container ${container.name} ${why}.`, container.name, {
      hint: 'In place takes a volume or a mounted folder of this machine. Else restore to a folder: --to DIR',
    });
  const found = mountsSchema.safeParse(JSON.parse(ended.stdout));
  const mounts = (found.success ? found.data : []).filter(({ Destination }) => isBelow(folder, Destination));
  const [mount] = mounts.toSorted((one, other) => other.Destination.length - one.Destination.length);
  if (mount === undefined) throw refused('lies in no volume, so that it goes with the container');
  const path = `${mount.Source}${folder.slice(mount.Destination.length)}`;
  const here = await outer.files.status(path, signal);
  const there = await container.host.files.status(folder, signal);
  if (here === null || there === null || here.inode !== there.inode || here.device !== there.device)
    throw refused(`is not ${path} of host ${outer.name}`);
  const root = await outer.files.realPath(mount.Source, signal);
  return {
    path: await outer.files.realPath(path, signal),
    mounted: folder === mount.Destination,
    inside(other) {
      if (!isBelow(other, root)) throw refused(`cannot be made anew, since the container does not see ${other}`);
      return `${mount.Destination}${other.slice(root.length)}`;
    },
  };
}

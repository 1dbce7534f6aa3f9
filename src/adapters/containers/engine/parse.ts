import * as z from 'zod';
import type { Container, ContainerMount } from '../../../domain/containers.ts';
import { HoldfastError } from '../../../domain/errors.ts';

/** Docker Engine API 1.41, ContainerInspect; podman prints the same names. */
const rowSchema = z.tuple([
  z.string(),
  z.string(),
  z.boolean(),
  z.boolean(),
  z.boolean(),
  z.string(),
  z.record(z.string(), z.string()).nullable(),
  z
    .array(
      z.object({ Type: z.string(), Name: z.string().default(''), Source: z.string().default(''), RW: z.boolean() }),
    )
    .nullable(),
  z
    .object({
      Ports: z.record(z.string(), z.array(z.object({ HostPort: z.string() })).nullable()).nullish(),
      Networks: z
        .record(z.string(), z.object({ IPAddress: z.string().nullish(), Aliases: z.array(z.string()).nullish() }))
        .nullish(),
    })
    .nullable(),
]);

function mountOf({ Type, Name, Source, RW }: NonNullable<z.infer<typeof rowSchema>[7]>[number]): ContainerMount {
  if (Type === 'volume') return { kind: 'volume', source: Name, folder: Source, writable: RW };
  return { kind: Type === 'bind' ? 'bind' : 'other', source: Source, writable: RW };
}

function reachedAt(name: string, network: z.infer<typeof rowSchema>[8]): NonNullable<Container['reached']> {
  const { Networks, Ports } = network ?? {};
  const aliases = Object.values(Networks ?? {}).flatMap(({ IPAddress, Aliases }) => [
    IPAddress ?? '',
    ...(Aliases ?? []),
  ]);
  const ports = Object.values(Ports ?? {}).flatMap((bound) => (bound ?? []).map(({ HostPort }) => Number(HostPort)));
  return {
    names: [...new Set([name, ...aliases.filter((alias) => alias !== '')])],
    ports: [...new Set(ports)],
  };
}

/** @param own ids of the container that this program runs in
 *  @throws ProcessFailed when it is not what an engine prints */
export function parseContainers(stdout: string, own: ReadonlySet<string>): readonly Container[] {
  try {
    return stdout
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => {
        const fields = rowSchema.parse(line.split('\t').map((field): unknown => JSON.parse(field)));
        const [id, slashed, running, paused, removedAtEnd, createdAt, labels, mounts, network] = fields;
        const name = slashed.replace(/^\//, '');
        const states = { running, paused, removedAtEnd, createdAt };
        const common = { id, name, ...states, labels: labels ?? {}, reached: reachedAt(name, network) };
        return { ...common, mounts: (mounts ?? []).map(mountOf), own: own.has(id) };
      });
  } catch (cause) {
    throw new HoldfastError('ProcessFailed', 'What `container inspect` printed cannot be read.', 'docker', { cause });
  }
}

/** The container that a process runs in, by what the engine mounts over its files (proc(5), mountinfo: the fourth field
 *  is the path on the file system, the fifth the mount point), and by its control group. Other containers' mounts are
 *  seen from outside, too, but not at these places. */
export function ownContainer(mountinfo: string, cgroup: string): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const line of mountinfo.split('\n')) {
    const [, , , root = '', point = ''] = line.split(' ');
    if (!/^\/etc\/(?:hostname|hosts|resolv\.conf)$|^\/run\/\.containerenv$/.test(point)) continue;
    const id = /\/(?:containers|overlay-containers)\/([0-9a-f]{64})\//.exec(root)?.[1];
    if (id !== undefined) ids.add(id);
  }
  for (const [, id = ''] of cgroup.matchAll(/\/(?:docker|libpod)[-/]([0-9a-f]{64})(?:\.scope)?$/gm)) ids.add(id);
  return ids;
}

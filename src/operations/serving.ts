import type { Container } from '../domain/containers.ts';
import { portSockets, unixSockets } from '../domain/listening.ts';
import type { Host } from '../ports/host.ts';
import type { Databases, ServerAddress, Source } from '../ports/source.ts';
import type { Unit, UnitReference } from '../ports/unit.ts';
import type { Context } from './context.ts';
import { linesOf, printedBy } from './look.ts';
import { noneWhenMissing } from './units.ts';

/** What of some units serves databases that are read or restored: it goes on meanwhile (interface, section 10, line 7). */
export interface Serving {
  /** Those that go on, as units tell what runs of them: the servers, and what takes them down when it stops. */
  readonly members: ReadonlySet<string>;
  /** Of the servers, as far as they are in the units and in no container that a source names. */
  readonly processes: ReadonlySet<number>;
}

type Ports = Pick<Context, 'unit' | 'containers'>;
type NetworkAddress = Extract<ServerAddress, { readonly port: number }>;

/** Where the servers are that sources are read from. */
export const readFrom = (sources: readonly Pick<Source, 'databases' | 'readFrom'>[]): readonly ServerAddress[] =>
  sources.flatMap(({ databases, readFrom: from }) => databases?.server ?? from ?? []);

/** Where the servers are that a restore talks with. */
export const servers = (
  all: readonly { readonly databases: Pick<Databases, 'server'> }[],
): readonly ServerAddress[] => [...new Set(all.map(({ databases }) => databases.server))];

/** Finds the servers of these addresses in units: the containers that are named, and whose process listens there. What
 *  this account may not see is not found. @param host that all of them are on */
export async function servingOf(
  addresses: readonly ServerAddress[],
  units: readonly Unit[],
  host: Host,
  context: Ports,
  signal: AbortSignal,
): Promise<Serving> {
  const members = new Set(addresses.flatMap((address) => ('container' in address ? [address.container] : [])));
  const processes = new Set<number>();
  const others = addresses.filter((address) => !('container' in address));
  if (others.length === 0 || units.length === 0) return { members, processes };
  const near: NetworkAddress[] = [];
  for (const address of others) if ('port' in address && (await isHere(address.host, host, signal))) near.push(address);
  const inodes = await socketsOf(others, near, host, signal);
  for (const unit of units) {
    const running = await unit.running(signal).catch(noneWhenMissing); // told by whoever stops it
    const found = new Set(await publishedBy(unit, running, { others, near }, context, signal));
    for (const member of running) {
      const pids = await (await context.unit(memberOf(unit.reference, member))).processes(signal);
      if (!(await holdsOne(pids, inodes, host, signal))) continue;
      found.add(member);
      for (const pid of pids) processes.add(pid);
    }
    for (const member of found) members.add(member);
    if (found.size === 0 || unit.reference.kind !== 'systemd') continue;
    for (const member of running) {
      const stopped = await (await context.unit(memberOf(unit.reference, member))).running(signal);
      if (stopped.some((one) => found.has(one))) members.add(member);
    }
  }
  return { members, processes };
}

/** Whether nothing of a unit stops while these go on. */
export const goesOn = ({ reference }: Pick<Unit, 'reference'>, { members }: Pick<Serving, 'members'>): boolean =>
  (reference.kind === 'systemd' && members.has(reference.unit)) ||
  (reference.kind === 'container' && members.has(reference.container));

function memberOf(reference: UnitReference, member: string): UnitReference {
  if (reference.kind === 'systemd') return { ...reference, unit: member };
  return { kind: 'container', host: reference.host, container: member };
}

/** `localhost`, or a name or address of the host itself. */
async function isHere(name: string, host: Host, signal: AbortSignal): Promise<boolean> {
  if (/^(?:localhost|127(?:\.\d+){3}|::1|0\.0\.0\.0)$/i.test(name)) return true;
  const own = await Promise.all(['-I', '-f', '-s'].map((option) => printedBy(host, 'hostname', [option], signal)));
  return own.join(' ').split(/\s+/).includes(name);
}

/** A path below /run may be told by its older name. */
const plainPath = (path: string): string => path.replace(/^\/var\/run\//, '/run/');

/** The inodes of the sockets that servers of the host listen at. */
async function socketsOf(
  addresses: readonly ServerAddress[],
  near: readonly NetworkAddress[],
  host: Host,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const paths = new Set<string>();
  for (const path of addresses.flatMap((address) => ('sockets' in address ? address.sockets : []))) {
    paths.add(plainPath(path));
    if ((await host.files.status(path, signal)) !== null) paths.add(await host.files.realPath(path, signal));
  }
  const read = (path: string): Promise<string> => printedBy(host, 'cat', ['--', path], signal);
  const inodes = new Set<string>();
  if (paths.size > 0)
    for (const { inode, path } of unixSockets(await read('/proc/net/unix')))
      if (path !== null && paths.has(plainPath(path))) inodes.add(inode);
  const tables = near.length === 0 ? [] : [await read('/proc/net/tcp'), await read('/proc/net/tcp6')];
  for (const { port } of near)
    for (const table of tables) for (const inode of portSockets(table, port)) inodes.add(inode);
  return inodes;
}

async function holdsOne(
  pids: readonly number[],
  inodes: ReadonlySet<string>,
  host: Host,
  signal: AbortSignal,
): Promise<boolean> {
  if (pids.length === 0 || inodes.size === 0) return false;
  const folders = pids.map((pid) => `/proc/${pid}/fd`);
  const links = await linesOf(host, 'find', [...folders, '-mindepth', '1', '-printf', '%l\n'], signal);
  return links.some((link) => inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''));
}

/** Containers that an address leads to: by their name or address, or by a port that they publish. */
async function publishedBy(
  { reference }: Unit,
  running: readonly string[],
  { others, near }: { readonly others: readonly ServerAddress[]; readonly near: readonly NetworkAddress[] },
  { containers }: Pick<Context, 'containers'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const network = others.filter((address): address is NetworkAddress => 'port' in address);
  if (reference.kind === 'systemd' || reference.host !== 'local' || network.length === 0 || running.length === 0)
    return [];
  const leads = ({ reached = { names: [], ports: [] } }: Container): boolean =>
    network.some(({ host }) => reached.names.includes(host)) || near.some(({ port }) => reached.ports.includes(port));
  const all = await (await containers()).list(signal);
  return all.filter((container) => running.includes(container.name) && leads(container)).map(({ name }) => name);
}

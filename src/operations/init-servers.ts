import {
  directoryOf,
  isDownForRestore,
  type Kind,
  kindOfProgram,
  type SeenServer,
  suffixesIn,
  usualSocket,
  waysOf,
} from '../domain/known-servers.ts';
import { networkSockets, unixSockets } from '../domain/listening.ts';
import type { FoundService } from '../domain/proposal.ts';
import { firstThatWorks, type Machine } from './init-try.ts';
import { linesOf, printedBy } from './look.ts';

interface Process {
  readonly pid: string;
  readonly account: string;
  readonly kind: Kind;
}

/** Database servers that listen on this machine outside of containers, each as a service.
 *  @param containers ids of those that run: their processes are seen from here, too */
export async function lookAtServers(
  containers: readonly string[],
  machine: Machine,
  signal: AbortSignal,
): Promise<readonly FoundService[]> {
  const services: FoundService[] = [];
  for (const server of await serversOf(containers, machine, signal)) {
    const suffixes = server.kind === 'ldap' ? await suffixesOf(server, machine, signal) : [];
    const source = await firstThatWorks('db', waysOf(server, suffixes), machine, signal);
    if (source === null) continue;
    const units = isDownForRestore(server.kind) && server.unit !== null ? [{ systemd: server.unit }] : [];
    const note = `a server that runs here${server.unit === null ? '' : ` as ${server.unit}`}`;
    services.push({ name: server.kind, notes: [note], units, stopDuringBackup: false, sources: [source] });
  }
  return services;
}

async function serversOf(
  containers: readonly string[],
  { host }: Machine,
  signal: AbortSignal,
): Promise<readonly SeenServer[]> {
  const processes = await processesOf(host, signal);
  if (processes.length === 0) return [];
  const read = (path: string): Promise<string> => printedBy(host, 'cat', ['--', path], signal);
  const sockets = [
    ...unixSockets(await read('/proc/net/unix')),
    ...networkSockets(await read('/proc/net/tcp')),
    ...networkSockets(await read('/proc/net/tcp6')),
  ];
  const servers: SeenServer[] = [];
  const taken = new Set<string>();
  const unknown: SeenServer[] = [];
  for (const { pid, account, kind } of processes) {
    const group = await read(`/proc/${pid}/cgroup`);
    if (containers.some((id) => group.includes(id))) continue;
    const held = await heldBy(pid, host, signal);
    const unit = /\/([^/\n]+\.service)$/m.exec(group)?.[1] ?? null;
    const words = (await read(`/proc/${pid}/cmdline`)).split('\0');
    const seen = { kind, account, words, unit };
    if (held === null) {
      unknown.push({ ...seen, sockets: sockets.filter((socket) => usualSocket(kind, socket)) });
      continue;
    }
    // what listens nowhere works for one that does, and one that has just begun may still hold its parent's sockets
    const own = sockets.filter(({ inode }) => held.has(inode) && !taken.has(inode));
    for (const { inode } of own) taken.add(inode);
    if (own.length > 0) servers.push({ ...seen, sockets: own });
  }
  // a process that ended meanwhile cannot be looked at either: what others hold is told
  return [...servers, ...onePerSocket(unknown, taken)];
}

/** Of an account that may not see who holds a socket, each of them is a server. */
function onePerSocket(servers: readonly SeenServer[], taken: ReadonlySet<string>): readonly SeenServer[] {
  const seen = new Map<string, SeenServer>();
  for (const server of servers)
    for (const socket of server.sockets.filter(({ inode }) => !taken.has(inode))) {
      const key = socket.path ?? `${socket.port}`;
      if (!seen.has(key)) seen.set(key, { ...server, sockets: [socket] });
    }
  return [...seen.values()];
}

async function processesOf(host: Machine['host'], signal: AbortSignal): Promise<readonly Process[]> {
  const lines = await linesOf(host, 'ps', ['-e', '-o', 'pid=,user:64=,comm='], signal);
  return lines.flatMap((line) => {
    const [pid = '', account = '', ...name] = line.trim().split(/\s+/);
    const kind = kindOfProgram(name.join(' '));
    return kind === null ? [] : [{ pid, account, kind }];
  });
}

/** The inodes of the sockets that a process has open; null when this account may not look. */
async function heldBy(pid: string, host: Machine['host'], signal: AbortSignal): Promise<ReadonlySet<string> | null> {
  const folder = `/proc/${pid}/fd`;
  const links = await linesOf(host, 'find', [folder, '-mindepth', '1', '-printf', '%l\n'], signal);
  if (links.length === 0) return null;
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

async function suffixesOf(
  server: Pick<SeenServer, 'words'>,
  { host }: Machine,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const folder = directoryOf(server);
  const where = folder === null ? [] : ['-F', folder];
  const args = [...where, '-n', '0', '-o', 'ldif-wrap=no', '-a', '(olcSuffix=*)'];
  return suffixesIn(await printedBy(host, 'slapcat', args, signal));
}

/** A socket on which somebody listens, as proc(5) tells it. */
export interface ListeningSocket {
  readonly inode: string;
  /** Of a socket in the file system; null for one of the network. */
  readonly path: string | null;
  /** Of the network: where it can be reached from this machine. */
  readonly address: string;
  readonly port: number;
}

const ACCEPTS = '00010000'; // __SO_ACCEPTON in Linux' net.h
const LISTEN = '0A'; // TCP_LISTEN

/** /proc/net/unix: `Num RefCount Protocol Flags Type St Inode Path`. Names that are no path are left out. */
export function unixSockets(table: string): readonly ListeningSocket[] {
  return table.split('\n').flatMap((line) => {
    const [, flags, inode = '', path = ''] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (\/.*)$/.exec(line) ?? [];
    return flags === ACCEPTS ? [{ inode, path, address: '', port: 0 }] : [];
  });
}

/** /proc/net/tcp and tcp6: those that this machine can reach at loopback, whether they listen there or everywhere. */
export function networkSockets(table: string): readonly ListeningSocket[] {
  return table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [address = '', port = ''] = (fields[1] ?? '').split(':');
    const reached = loopbackOf(address);
    if (fields[3] !== LISTEN || reached === null) return [];
    return [{ inode: fields[9] ?? '', path: null, address: reached, port: Number.parseInt(port, 16) }];
  });
}

/** /proc/net/tcp and tcp6: the inodes of those that listen at a port, whatever address they took. */
export const portSockets = (table: string, port: number): readonly string[] =>
  table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const own = Number.parseInt(fields[1]?.split(':')[1] ?? '', 16);
    return fields[3] === LISTEN && own === port ? [fields[9] ?? ''] : [];
  });

/** The kernel prints words of 32 bits in the machine's order: 127.0.0.1 is `0100007F` on a little-endian one. */
function loopbackOf(address: string): string | null {
  if (/^0{8}$/.test(address) || /^(?:0100007F|7F000001)$/.test(address)) return '127.0.0.1';
  if (/^0{32}$/.test(address) || /^0{16}0000FFFF(?:0100007F|7F000001)$/.test(address)) return '127.0.0.1';
  return /^0{24}(?:01000000|00000001)$/.test(address) ? '::1' : null;
}

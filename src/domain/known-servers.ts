import type { ListeningSocket } from './listening.ts';
import type { Settings } from './proposal.ts';

/** Names of processes, as proc(5) `comm` has them, and the kind of source that dumps what they keep. */
const PROGRAMS: Readonly<Record<string, Kind>> = {
  postgres: 'postgres',
  mariadbd: 'mariadb',
  mysqld: 'mariadb',
  'redis-server': 'redis',
  'valkey-server': 'redis',
  slapd: 'ldap',
  'beam.smp': 'couchdb', // Erlang's machine: CouchDB when it listens at CouchDB's port
};
export type Kind = 'postgres' | 'mariadb' | 'redis' | 'ldap' | 'couchdb';

export const kindOfProgram = (name: string): Kind | null => PROGRAMS[name] ?? null;

const PORTS: Readonly<Record<Kind, number>> = { postgres: 5432, mariadb: 3306, redis: 6379, ldap: 389, couchdb: 5984 };

/** A server that runs on this machine, outside of containers. */
export interface SeenServer {
  readonly kind: Kind;
  /** The account it runs under. */
  readonly account: string;
  /** Its arguments. */
  readonly words: readonly string[];
  /** Its systemd unit; null where there is none. */
  readonly unit: string | null;
  readonly sockets: readonly ListeningSocket[];
}

/** Which of these a server of a kind listens on, where it cannot be told who holds them: by their usual names. */
export function usualSocket(kind: Kind, { path, port }: ListeningSocket): boolean {
  if (path === null) return port === PORTS[kind];
  if (kind === 'postgres') return POSTGRES_SOCKET.test(path);
  if (kind === 'mariadb') return /\/(?:mysqld?|mariadb)\.sock$/.test(path);
  return kind === 'redis' && /\/(?:redis|valkey)[^/]*\.sock$/.test(path);
}

const POSTGRES_SOCKET = /^(.+)\/\.s\.PGSQL\.(\d+)$/;

/** Ways in which a server may be captured, the likeliest first. A socket comes before the network, and the server's own
 *  account before none, since servers let that one in without a password.
 *  @param suffixes of a directory, as it was asked */
export function waysOf(server: SeenServer, suffixes: readonly string[]): readonly Settings[] {
  const { kind, account } = server;
  const accounts = account === 'root' ? [{}] : [{ runAs: account }, {}];
  if (kind === 'ldap') {
    const config = directoryOf(server);
    return suffixes
      .slice(0, 1)
      .flatMap((suffix) => accounts.map((runAs) => ({ ldap: { ...(config ? { config } : {}), suffix, ...runAs } })));
  }
  const paths = server.sockets.flatMap(({ path }) => path ?? []);
  const network = server.sockets.filter(({ path }) => path === null).map(({ address: host, port }) => ({ host, port }));
  if (kind === 'couchdb')
    return network
      .filter(({ port }) => port === PORTS.couchdb)
      .map(({ host, port }) => ({ couchdb: { url: `http://${host}:${port}`, user: 'admin', databases: 'all' } }));
  if (kind === 'redis') return [...paths.map((socket) => ({ socket })), ...network].map((where) => ({ redis: where }));
  if (kind === 'mariadb') {
    // root by its socket first, which is how Debian sets it up
    const sockets = paths.flatMap((socket) => accounts.toReversed().map((runAs) => ({ socket, ...runAs })));
    return [...sockets, ...network].map((where) => ({ mariadb: { ...where, databases: 'all' } }));
  }
  const sockets = paths.flatMap((path) => {
    const [, socket = '', number = ''] = POSTGRES_SOCKET.exec(path) ?? [];
    const port = Number(number) === PORTS.postgres ? {} : { port: Number(number) };
    return socket === '' ? [] : accounts.map((runAs) => ({ socket, ...port, ...runAs }));
  });
  return [...sockets, ...network].map((where) => ({ postgres: { ...where, databases: 'all', globals: true } }));
}

/** The folder of cn=config that slapd was started with (slapd(8), `-F`). */
export function directoryOf({ words }: Pick<SeenServer, 'words'>): string | null {
  const at = words.findIndex((word) => word.startsWith('-F'));
  if (at < 0) return null;
  const [word = ''] = words.slice(at);
  return word === '-F' ? (words[at + 1] ?? null) : word.slice(2);
}

/** A server that has to be down while a restore in place gives it back its file. */
export const isDownForRestore = (kind: Kind): boolean => kind === 'redis' || kind === 'ldap';

/** `olcSuffix: dc=home,dc=lan` of what `slapcat -n 0` prints unwrapped. The server's own, `cn=monitor`, is none. */
export const suffixesIn = (ldif: string): readonly string[] => [
  ...new Set(
    [...ldif.matchAll(/^olcSuffix: (.+)$/gm)].flatMap(([, suffix = '']) =>
      /^cn=(?:monitor|config)$/i.test(suffix) ? [] : [suffix.trim()],
    ),
  ),
];

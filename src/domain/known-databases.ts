import { memberName, type SeenContainer } from './found-container.ts';
import type { Settings } from './proposal.ts';

/** Images by the last part of their name, and the kind of source that dumps what runs in them. */
const IMAGES: Readonly<Record<string, Kind>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  postgis: 'postgres',
  pgvector: 'postgres',
  'pgvecto-rs': 'postgres',
  timescaledb: 'postgres',
  'timescaledb-ha': 'postgres',
  mariadb: 'mariadb',
  mysql: 'mariadb',
  'mysql-server': 'mariadb',
  percona: 'mariadb',
  redis: 'redis',
  'redis-stack': 'redis',
  'redis-stack-server': 'redis',
  valkey: 'redis',
  openldap: 'ldap',
  couchdb: 'couchdb',
};
type Kind = 'postgres' | 'mariadb' | 'redis' | 'ldap' | 'couchdb';

/** `docker.io/bitnami/postgresql:15@sha256:…` is `postgresql`. */
const imageName = (image: string): string =>
  (image.replace(/@.*$/, '').split('/').at(-1) ?? '').replace(/:.*$/, '').toLowerCase();

/** A database in a container. */
export interface KnownDatabase {
  readonly kind: Kind;
  readonly name: string;
  /** Ways in which it may be captured, the likeliest first. None has a secret in it. */
  readonly ways: readonly Settings[];
}

/** The database that a container's image is known for; null for any other. A password is never read here: a way names
 *  the container's own variable, or file, as the place where it stands.
 *  @param engine `docker` or `podman`
 *  @param suffixes of a directory, where they could be asked for */
export function knownDatabase(
  container: SeenContainer,
  engine: string,
  suffixes: readonly string[],
): KnownDatabase | null {
  const kind = IMAGES[imageName(container.image)];
  if (kind === undefined) return null;
  const ways = { postgres, mariadb, redis, ldap: () => ldap(container, suffixes), couchdb }[kind](container, engine);
  return { kind, name: memberName(container), ways };
}

export const isDirectory = ({ image }: SeenContainer): boolean => IMAGES[imageName(image)] === 'ldap';

/** The first variable of these that is set and not empty, by its value. */
const valueIn = ({ environment }: SeenContainer, names: readonly string[]): string | undefined =>
  names.map((name) => environment.get(name)).find((value) => value !== undefined && value !== '');

/** Where passwords of these names stand in a container: in a variable, or in a file that `NAME_FILE` names. */
const passwordsIn = ({ environment, name }: SeenContainer, engine: string, names: readonly string[]): Settings[] =>
  names.flatMap((variable) => {
    const file = environment.get(`${variable}_FILE`);
    if (environment.get(variable)) return [{ command: [engine, 'exec', name, 'printenv', variable] }];
    return file ? [{ command: [engine, 'exec', name, 'cat', file] }] : [];
  });

function postgres(container: SeenContainer, engine: string): readonly Settings[] {
  const user = valueIn(container, ['POSTGRES_USER', 'POSTGRESQL_USERNAME']);
  const account = user === undefined || user === 'postgres' ? {} : { user };
  const whole = { container: container.name, ...account, databases: 'all', globals: true };
  const passwords = passwordsIn(container, engine, ['POSTGRES_PASSWORD', 'POSTGRESQL_PASSWORD']);
  return [{ postgres: whole }, ...passwords.map((password) => ({ postgres: { ...whole, password } }))];
}

function mariadb(container: SeenContainer, engine: string): readonly Settings[] {
  const { name } = container;
  const root = passwordsIn(container, engine, ['MARIADB_ROOT_PASSWORD', 'MYSQL_ROOT_PASSWORD']);
  const user = valueIn(container, ['MARIADB_USER', 'MYSQL_USER']);
  const database = valueIn(container, ['MARIADB_DATABASE', 'MYSQL_DATABASE']);
  const own = passwordsIn(container, engine, ['MARIADB_PASSWORD', 'MYSQL_PASSWORD']);
  const asUser = user === undefined || database === undefined ? [] : own;
  return [
    ...root.map((password) => ({ mariadb: { container: name, databases: 'all', password } })),
    ...asUser.map((password) => ({ mariadb: { container: name, database, user, password } })),
    { mariadb: { container: name, databases: 'all' } },
  ];
}

function redis(container: SeenContainer, engine: string): readonly Settings[] {
  const passwords = passwordsIn(container, engine, ['REDIS_PASSWORD', 'VALKEY_PASSWORD']);
  const { name } = container;
  return [...passwords.map((password) => ({ redis: { container: name, password } })), { redis: { container: name } }];
}

/** Bitnami's and Osixia's images say the suffix in variables of their own. */
function ldap(container: SeenContainer, suffixes: readonly string[]): readonly Settings[] {
  const domain = valueIn(container, ['LDAP_DOMAIN']);
  const ofDomain = domain
    ?.split('.')
    .map((part) => `dc=${part}`)
    .join(',');
  const said = valueIn(container, ['LDAP_ROOT', 'LDAP_BASE_DN', 'LDAP_SUFFIX']) ?? ofDomain;
  const suffix = suffixes[0] ?? said ?? 'dc=example,dc=org';
  return [{ ldap: { container: container.name, suffix } }];
}

/** Asked over its port where that is published, else from inside: what listens at 5984 here may be another server. */
function couchdb(container: SeenContainer, engine: string): readonly Settings[] {
  const port = container.ports.get('5984/tcp');
  const published = port === undefined ? [] : [{ url: `http://127.0.0.1:${port}` }];
  const user = valueIn(container, ['COUCHDB_USER']) ?? 'admin';
  const [password] = passwordsIn(container, engine, ['COUCHDB_PASSWORD']);
  const secret = password === undefined ? {} : { password };
  return [...published, { container: container.name }].map((where) => ({
    couchdb: { ...where, user, databases: 'all', ...secret },
  }));
}

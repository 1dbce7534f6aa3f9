import * as z from 'zod';
import { nameSetting, pathSetting, secretSetting, webAddressSetting } from '../../domain/settings.ts';
import type { PLANNED_KINDS } from './kinds.ts';
import { planned, portSetting } from './planned.ts';

const text = z.string().min(1, 'Must not be empty.');
const exclude = z.array(text).describe('Patterns of names that are left out').exactOptional();

/** How a database server is reached (interface, section 4): in a container, by a socket, or over the network. */
const server = {
  container: text.describe('The container it runs in').exactOptional(),
  socket: pathSetting.describe('Its socket: a folder for PostgreSQL, a file elsewhere').exactOptional(),
  host: text.describe('Where it listens').exactOptional(),
  port: portSetting.exactOptional(),
  user: text.describe('The account in the database').exactOptional(),
  password: secretSetting.exactOptional(),
  runAs: text.describe('The account its tools run under').exactOptional(),
};

interface Reached {
  readonly container?: string;
  readonly socket?: string;
  readonly host?: string;
}
const reachedOneWay = ({ container, socket, host }: Reached): boolean =>
  [container, socket, host].filter((way) => way !== undefined).length <= 1;
const ONE_WAY = 'Name the server in one way: container, socket, or host and port.';

const chosen = {
  database: text.describe('One database').exactOptional(),
  databases: z
    .union([z.literal('all'), z.array(text).min(1, 'Name at least one database.')])
    .describe('Several databases, or all')
    .exactOptional(),
};
const chosenOneWay = (choice: { readonly database?: string; readonly databases?: unknown }): boolean =>
  choice.database === undefined || choice.databases === undefined;
const ONE_CHOICE = 'Say either database or databases.';

const postgres = z
  .strictObject({ ...server, ...chosen, globals: z.boolean().describe('Roles and tablespaces too').exactOptional() })
  .refine(reachedOneWay, ONE_WAY)
  .refine(chosenOneWay, ONE_CHOICE);
const mariadb = z
  .strictObject({ ...server, ...chosen })
  .refine(reachedOneWay, ONE_WAY)
  .refine(chosenOneWay, ONE_CHOICE);
const ldap = z
  .strictObject({
    container: server.container,
    config: pathSetting.describe('The folder of cn=config (slapd.d)').exactOptional(),
    suffix: text.describe('As in dc=home,dc=lan'),
    runAs: server.runAs,
  })
  .refine(
    ({ container, config }) => container === undefined || config === undefined,
    'Say either container or config.',
  );
const redis = z.strictObject(server).refine(reachedOneWay, ONE_WAY);
const couchdb = z.strictObject({
  url: webAddressSetting,
  user: server.user,
  password: server.password,
  databases: chosen.databases,
});

/** Kinds of sources that are not built yet. A kind moves to its adapter's config.ts, its row to the registry, and out of
 *  kinds.ts. */
export const plannedSources = {
  postgres: z.strictObject({ postgres: planned('sources of kind postgres', 'PostgreSQL, by pg_dump', () => postgres) }),
  mariadb: z.strictObject({
    mariadb: planned('sources of kind mariadb', 'MariaDB or MySQL, by mariadb-dump', () => mariadb),
  }),
  ldap: z.strictObject({ ldap: planned('sources of kind ldap', 'OpenLDAP, by slapcat', () => ldap) }),
  redis: z.strictObject({ redis: planned('sources of kind redis', 'Redis, as RDB', () => redis) }),
  couchdb: z.strictObject({ couchdb: planned('sources of kind couchdb', 'CouchDB, by its API', () => couchdb) }),
  volume: z.strictObject({
    volume: planned('sources of kind volume', 'The name of a Docker volume', () => text),
    exclude,
  }),
  btrfs: z.strictObject({
    btrfs: planned('sources of kind btrfs', 'A subvolume, read from an instant snapshot', () => nameSetting),
    exclude,
  }),
} satisfies Record<(typeof PLANNED_KINDS)[number], z.ZodType>;

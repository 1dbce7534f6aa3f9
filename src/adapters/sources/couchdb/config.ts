import * as z from 'zod';
import { webAddressSetting } from '../../../domain/settings.ts';
import type { ServerAddress } from '../../../ports/source.ts';
import { choiceSettings, chosenOneWay, ONE_CHOICE, serverSettings } from '../server/config.ts';

const { container, host, port, user, password } = serverSettings;
const DEFAULT_PORT = 5984;

const urlSetting = webAddressSetting
  .refine((url) => !/^https?:\/\/[^/]*@/i.test(url), 'Write user and password as settings of their own.')
  .refine((url) => URL.canParse(url), 'Write an address: http://… or https://…')
  .describe('Its address');

/** A source of kind `couchdb`: `{ couchdb: { url: http://127.0.0.1:5984, user: admin, password: { env: COUCH } } }`. */
export const couchdbSchema = z.strictObject({
  couchdb: z
    .strictObject({
      url: urlSetting.exactOptional(),
      container,
      host,
      port,
      user,
      password,
      scratch: z
        .union([z.literal(true), z.strictObject({ url: urlSetting, user, password })])
        .describe('Where drills make databases of their own, and remove them: another server, or true for this one')
        .exactOptional(),
      ...choiceSettings,
    })
    .refine(
      ({ url, container, host }) => [url, container, host].filter((way) => way !== undefined).length <= 1,
      'Name the server in one way: url, container, or host and port.',
    )
    .refine(({ url, port }) => url === undefined || port === undefined, 'Write the port in the url.')
    .refine(chosenOneWay, ONE_CHOICE)
    .describe('CouchDB, by its API'),
});

export type CouchdbSettings = z.infer<typeof couchdbSchema>;

/** How the server for drills is reached; null where none is named. */
export function drillSettings(settings: CouchdbSettings): CouchdbSettings | null {
  const { scratch } = settings.couchdb;
  if (scratch === undefined) return null;
  return scratch === true ? settings : { couchdb: scratch };
}

/** Where the server listens, as seen from the host or the container that it is reached from. */
export function addressOf({ couchdb: { url, host, port } }: CouchdbSettings): URL {
  if (url !== undefined) return new URL(url);
  const name = host ?? '127.0.0.1';
  return new URL(`http://${name.includes(':') ? `[${name}]` : name}:${port ?? DEFAULT_PORT}`);
}

/** The server as units are looked through for it. */
export function serverAddress(settings: CouchdbSettings): ServerAddress {
  const { container } = settings.couchdb;
  if (container !== undefined) return { container };
  const { hostname, port, protocol } = addressOf(settings);
  return { host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) };
}

/** All of them unless some are named: an account that may list them is needed for that. */
export function namedDatabases({
  couchdb: { database, databases = 'all' },
}: CouchdbSettings): readonly string[] | 'all' {
  if (database !== undefined) return [database];
  return databases === 'all' ? 'all' : [...new Set(databases)];
}

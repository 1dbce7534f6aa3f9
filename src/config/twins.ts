import type { Problem } from './diagnostic.ts';

/** What the kinds of servers say of what they capture. */
interface ServerSettings {
  readonly database?: string;
  readonly databases?: readonly string[] | 'all';
  readonly globals?: boolean;
}

/** Kinds whose items are named after the kind alone, and after the kind and a database (interface, section 4). */
const ONE_ITEM = ['ldap', 'redis'] as const;
const OF_DATABASES = ['postgres', 'mariadb', 'couchdb'] as const;

/** What a source makes of which a point can have only one, in words that are the same for two that collide. Every
 *  PostgreSQL server has a database `postgres`. */
function itemsOf(source: unknown): readonly string[] {
  const settings = Object(source) as Readonly<Record<string, ServerSettings | undefined>>;
  const alone = ONE_ITEM.filter((kind) => Object.hasOwn(settings, kind)).map((kind) => `the item "${kind}"`);
  const ofDatabases = OF_DATABASES.flatMap((kind) => {
    const { database, databases = [], globals } = Object(settings[kind]) as ServerSettings;
    const named =
      databases === 'all' ? [] : [...new Set([...databases, ...(database === undefined ? [] : [database])])];
    return [
      ...named.map((name) => `the item "${kind}_${name}"`),
      ...(databases === 'all' && kind === 'postgres' ? ['the item "postgres_postgres"'] : []),
      ...(globals === true ? [`the item "${kind}_globals"`] : []),
    ];
  });
  return [...alone, ...ofDatabases];
}

/** Sources of a service whose items would have one name. */
export function twins(service: string, sources: Readonly<Record<string, unknown>>): Problem[] {
  const makers = new Map<string, string>();
  return Object.entries(sources).flatMap(([source, settings]) => {
    const problems: Problem[] = [];
    for (const item of itemsOf(settings)) {
      const first = makers.get(item);
      makers.set(item, first ?? source);
      if (first === undefined || problems.length > 0) continue;
      problems.push({
        path: ['services', service, 'sources', source],
        at: 'key',
        message: `"${first}" makes ${item} already: give "${source}" a service of its own.`,
      });
    }
    return problems;
  });
}

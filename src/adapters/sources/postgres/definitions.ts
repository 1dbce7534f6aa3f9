import { plain, quoted } from './words.ts';

/** What an archive says of its database and of who owns what, as `pg_restore --create --schema-only` prints it. */
export interface Definitions {
  /** What follows `CREATE DATABASE NAME WITH`: encoding and locale. */
  readonly options: string;
  /** The same for a server without its tablespaces. */
  readonly optionsElsewhere: string;
  /** Statements on the database itself, for {@link namedAs}: its owner, its settings, who may connect. `grants`: they
   *  name roles. */
  readonly statements: readonly { readonly before: string; readonly after: string; readonly grants: boolean }[];
  /** Roles that own something, are granted something or have settings of their own here, as they are called. */
  readonly roles: readonly string[];
  readonly tablespaces: readonly string[];
  /** How many it has. They are made without a word to their publisher, and disabled. */
  readonly subscriptions: number;
}

const IDENTIFIER = '(?:"(?:[^"]|"")*"|[A-Za-z_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*)';
const CREATE = new RegExp(`^CREATE DATABASE (${IDENTIFIER}) WITH TEMPLATE = template0 (.*);$`);
const OWNER = new RegExp(`^ALTER .* OWNER TO (${IDENTIFIER});$`);
const GRANTEE = new RegExp(
  `^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES) .* (?:TO|FROM) (${IDENTIFIER})(?: WITH GRANT OPTION)?;$`,
);
const GRANTING = new RegExp(`^(?:ALTER DEFAULT PRIVILEGES FOR ROLE|SET SESSION AUTHORIZATION) (${IDENTIFIER})`);
const OF_ROLE = new RegExp(`^ALTER ROLE (${IDENTIFIER}) IN DATABASE .*;$`);
const PLACE = new RegExp(`^SET default_tablespace = (${IDENTIFIER});$`);
const OWN_PLACE = new RegExp(` TABLESPACE = (${IDENTIFIER})`);

/** Pure. Statements that have more than one line, as of names with newlines, are not found and so left out. */
export function parseDefinitions(script: string): Definitions {
  let options = '';
  const tablespaces = new Set<string>();
  let subscriptions = 0;
  let name: string | null = null;
  const statements: Definitions['statements'][number][] = [];
  const roles = new Set<string>();
  for (const line of script.split('\n')) {
    const created: RegExpExecArray | null = name === null ? CREATE.exec(line) : null;
    if (created !== null) [, name = null, options = ''] = created;
    for (const pattern of [OWNER, GRANTEE, GRANTING, OF_ROLE]) {
      const role = pattern.exec(line)?.[1];
      if (role !== undefined && role !== 'PUBLIC') roles.add(plain(role));
    }
    if (line.startsWith('CREATE SUBSCRIPTION ')) subscriptions += 1;
    const place = PLACE.exec(line)?.[1] ?? '';
    if (place !== '') tablespaces.add(plain(place));
    const own = name === null ? -1 : line.indexOf(` DATABASE ${name} `);
    if (name === null || own < 0 || !/^(?:ALTER|COMMENT ON|GRANT|REVOKE) /.test(line) || !line.endsWith(';')) continue;
    const from = own + ' DATABASE '.length;
    const grants = OF_ROLE.test(line) || (!line.startsWith('COMMENT') && !/ SET /.test(line));
    statements.push({ before: line.slice(0, from), after: line.slice(from + name.length), grants });
  }
  const [words = '', place = null] = OWN_PLACE.exec(options) ?? [];
  if (place !== null) tablespaces.add(plain(place));
  const optionsElsewhere = options.replace(words, '');
  return { options, optionsElsewhere, statements, roles: [...roles], tablespaces: [...tablespaces], subscriptions };
}

/** The statements on another database. @param owners also who owns it and who may do what with it */
export const namedAs = ({ statements }: Definitions, database: string, owners: boolean): readonly string[] =>
  statements.flatMap(({ before, after, grants }) =>
    owners || !grants ? [`${before}${quoted(database)}${after}`] : [],
  );

import type { Bytes } from '../../../ports/bytes.ts';
import { plain } from './words.ts';

const IDENTIFIER = '(?:"(?:[^"]|"")*"|[^\\s";]+)';
const OF_ROLE = new RegExp(`^(?:CREATE|ALTER) ROLE (${IDENTIFIER})(?: .*)?;$`);
const MEMBERSHIP = new RegExp(`^GRANT ${IDENTIFIER} TO (${IDENTIFIER})(?: .*)?;$`);

/** The statements of pg_dumpall's script that make the roles which a server does not have, and nothing of the others: a
 *  role that is there keeps its password, its settings and its memberships.
 *  @returns what was left out, for people */
export async function missingRolesOf(
  bytes: Bytes,
  there: ReadonlySet<string>,
): Promise<{ readonly statements: readonly string[]; readonly left: readonly string[] }> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(Uint8Array.from(chunk));
  const statements: string[] = [];
  let tablespaces = 0;
  for (const line of Buffer.concat(chunks).toString('utf8').split('\n')) {
    const role = (OF_ROLE.exec(line) ?? MEMBERSHIP.exec(line))?.[1];
    if (role !== undefined && !there.has(plain(role))) statements.push(line);
    if (line.startsWith('CREATE TABLESPACE ')) tablespaces += 1;
  }
  const left = tablespaces > 0 ? [`${tablespaces} tablespaces are not made: their folders have to be there first`] : [];
  return { statements, left };
}

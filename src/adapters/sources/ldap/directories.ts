/** Where one of a server's databases lies. */
export interface Directory {
  readonly suffixes: readonly string[];
  readonly path: string;
  /** Whether other servers fill it. */
  readonly replicated: boolean;
  /** Whether it is a part of the database above it (slapd-config(5), olcSubordinate): slapcat and slapadd of that one read
   *  and fill this one too. */
  readonly subordinate: boolean;
}

/** An entry of cn=config as lines that are not folded. */
const entriesOf = (ldif: string): readonly (readonly string[])[] =>
  ldif
    .replaceAll('\n ', '')
    .split('\n\n')
    .map((entry) => entry.split('\n'));

function valuesOf(entry: readonly string[], attribute: string): readonly string[] {
  return entry.flatMap((line) => {
    const [, plain, coded] = new RegExp(`^${attribute}:(?: (.*)|: (.*))$`, 'i').exec(line) ?? [];
    if (coded !== undefined) return [Buffer.from(coded, 'base64').toString('utf8')];
    return plain === undefined ? [] : [plain];
  });
}

/** The databases that cn=config has, as `slapcat -n 0` prints it. */
export const directoriesIn = (ldif: string): readonly Directory[] =>
  entriesOf(ldif).flatMap((entry) => {
    const [path] = valuesOf(entry, 'olcDbDirectory');
    if (path === undefined) return [];
    const replicated = valuesOf(entry, 'olcSyncrepl').length > 0;
    const subordinate = valuesOf(entry, 'olcSubordinate').some((word) => !/^false$/i.test(word));
    return [{ suffixes: valuesOf(entry, 'olcSuffix'), path: path.replace(/\/+$/, ''), replicated, subordinate }];
  });

/** The databases that go with the one of a suffix. */
export const partsOf = (suffix: string, all: readonly Directory[]): readonly Directory[] =>
  all.filter(
    ({ subordinate, suffixes }) => subordinate && suffixes.some((one) => plain(one).endsWith(`,${plain(suffix)}`)),
  );

/** Suffixes of a server's databases but these. The log of changes of one is none of people's. */
export function othersThan(wanted: readonly string[], ldif: string): readonly string[] {
  const logs = entriesOf(ldif).flatMap((entry) => valuesOf(entry, 'olcAccessLogDB'));
  const all = directoriesIn(ldif);
  const parts = wanted.flatMap((suffix) => partsOf(suffix, all).flatMap(({ suffixes }) => suffixes));
  const known = [...wanted, ...logs, ...parts];
  return all.flatMap(({ suffixes }) =>
    suffixes.some((one) => known.some((other) => sameSuffix(one, other))) ? [] : suffixes.slice(0, 1),
  );
}

/** The same configuration with one database in another folder. */
export function movedTo(folder: string, suffix: string, ldif: string): string {
  const line = `olcDbDirectory:: ${Buffer.from(folder).toString('base64')}`;
  const moved = entriesOf(ldif).map((entry) =>
    valuesOf(entry, 'olcSuffix').some((one) => sameSuffix(one, suffix))
      ? entry.map((each) => (/^olcDbDirectory::? /i.test(each) ? line : each))
      : entry,
  );
  return moved.map((entry) => entry.join('\n')).join('\n\n');
}

/** RFC 4517, distinguishedNameMatch, as far as suffixes need it: neither case, nor space around signs or more than one of
 *  it, nor the way in which a sign is escaped matters (RFC 4514, section 2.4). */
export const sameSuffix = (one: string, other: string): boolean => plain(one) === plain(other);

function plain(suffix: string): string {
  // `\C3\B6` are two bytes of one character, so all of it is looked at as bytes.
  const bytes = Buffer.from(suffix).toString('latin1');
  const unescaped = bytes.replaceAll(/\\([0-9a-f]{2}|.)/gis, (_, word: string) => {
    const sign = word.length === 2 ? String.fromCharCode(Number.parseInt(word, 16)) : word;
    return ',;=+\\'.includes(sign) ? `\\${sign.charCodeAt(0).toString(16)}` : sign;
  });
  return Buffer.from(unescaped, 'latin1')
    .toString()
    .toLowerCase()
    .replaceAll(/\s*([,;=+])\s*/g, '$1')
    .replaceAll(';', ',')
    .replaceAll(/ +/g, ' ')
    .trim();
}

/** What would reach other machines, or files of this one, when a server starts or is filled. */
const LEFT_OUT =
  /^olc(?:Syncrepl|UpdateRef|MirrorMode|MultiProvider|TLS\w+|PidFile|ArgsFile|LogFile|AuditlogFile|Referral|ServerID)::? /i;

export interface Rewritten {
  readonly ldif: string;
  /** One for each database, in their order. */
  readonly folders: readonly string[];
  /** Names of the attributes that are not in it any more, each once. */
  readonly left: readonly string[];
}

/** A configuration for a scratch directory: every database gets a folder below `folder`, and what would reach the live
 *  one, its files or its replicas is left out. Pure; no entry more or less. */
export function rewriteConfiguration(ldif: string, folder: string): Rewritten {
  const folders: string[] = [];
  const left = new Set<string>();
  const lines = ldif
    .replaceAll('\n ', '') // RFC 2849: a line that is folded goes on after a space
    .split('\n')
    .flatMap((line) => {
      if (LEFT_OUT.test(line)) {
        left.add(line.slice(0, line.indexOf(':')));
        return [];
      }
      if (!/^olcDbDirectory::? /i.test(line)) return [line];
      const own = `${folder}/data-${folders.length}`;
      folders.push(own);
      return [`olcDbDirectory: ${own}`];
    });
  return { ldif: lines.join('\n'), folders, left: [...left] };
}

/** The name of the first entry, which is the suffix that slapcat was asked for; null where there is none. */
export function firstNameIn(ldif: string): string | null {
  const [, plain, coded] = /^dn:(?: (.*)|: (.*))$/im.exec(ldif.replaceAll('\n ', '')) ?? [];
  return coded === undefined ? (plain ?? null) : Buffer.from(coded, 'base64').toString('utf8');
}

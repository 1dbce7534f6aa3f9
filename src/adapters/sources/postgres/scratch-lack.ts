import { HoldfastError } from '../../../domain/errors.ts';

/** What the machine lacks, which tells nothing of a recovery point. */
export const lacking = (what: string, cause?: unknown, hint?: string): HoldfastError =>
  new HoldfastError('ScratchUnusable', `The scratch server lacks ${what}.`, 'postgres', {
    cause,
    hint: `${hint ?? `Install ${what} for the server on this machine`}; the recovery point itself was not judged`,
  });

/** Of a database, of a collation by the system's library, and by ICU. */
const LOCALE =
  /(?:invalid (?:LC_COLLATE |LC_CTYPE )?locale name:?|could not create locale|could not (?:open collator for|convert locale name|get language from|validate) (?:ICU )?(?:locale|language)) "([^"]*)"/;

/** What belongs to a whole server, and so stands in no dump of a database: a policy or a user mapping names a role. */
const GLOBAL =
  /\b(role|tablespace) "([^"]*)" does not exist|invalid value for parameter "default_tablespace": "([^"]*)"/;

/** What pg_restore says when the machine, and not the dump, is why it fails. */
export function lackIn(error: unknown): HoldfastError | null {
  if (!(error instanceof HoldfastError)) return null;
  const said = `${error.message} ${error.cause instanceof Error ? String(error.cause.cause ?? error.cause.message) : ''}`;
  const extension = /extension "([^"]+)" is not available|extension control file "[^"]*\/([^"/]+)\.control"/.exec(said);
  if (extension !== null) return lacking(`the extension ${extension[1] ?? extension[2]}`, error);
  const locale = LOCALE.exec(said)?.[1];
  if (locale !== undefined) return lacking(`the locale ${locale}`, error);
  const globals = GLOBAL.exec(said);
  if (globals !== null) {
    const what = `the ${globals[1] ?? 'tablespace'} "${globals[2] ?? globals[3]}"`;
    return lacking(what, error, 'Roles and tablespaces are dumped with `globals: true`');
  }
  const foreign = /could not connect to server "([^"]+)"/.exec(said)?.[1];
  if (foreign !== undefined)
    return new HoldfastError(
      'ScratchUnusable',
      `It is restored from the foreign server "${foreign}" as well.`,
      foreign,
      {
        cause: error,
        hint: 'A drill reaches no other server: make the materialized view WITH NO DATA, or leave it to a drill by hand',
      },
    );
  const library = /could not (?:access file|load library) "([^"]+)"/.exec(said)?.[1];
  if (library !== undefined) return lacking(`the library ${library}`, error);
  const preloaded = /"?([\w.-]+)"? (?:must be|can only be) (?:pre)?loaded/.exec(said)?.[1];
  if (preloaded !== undefined) return lacking(`${preloaded} among its shared_preload_libraries`, error);
  if (/unsupported version \([\d.]+\) in file header/.test(said)) return lacking('programs that read this dump', error);
  return null;
}

import { HoldfastError } from '../domain/errors.ts';
import type { Command } from '../ports/host.ts';

/** An account as the machine knows it, from /etc/passwd or a directory. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** The arguments that look an account up. */
export const lookUp = (name: string): Command => ({ program: 'getent', args: ['passwd', '--', name] });

/** passwd(5): name, password, user id, group id, comment, home, shell.
 *  @throws ConfigurationInvalid when `line` is not one */
export function parseAccount(name: string, line: string): Account {
  const [login, , uid, gid, , home] = line.trim().split(':');
  if (login === name && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? '') && home !== undefined)
    return { name, uid: Number(uid), gid: Number(gid), home };
  throw new HoldfastError('ConfigurationInvalid', `There is no account "${name}" on this machine.`, name, {
    hint: `Create it, or correct runAs; see the accounts with: getent passwd`,
  });
}

/** The command under another account. setpriv becomes the program, so that signals and exit codes are the program's own;
 *  no shell, no session. The working folder is / unless the command has one: the caller's may be closed to the account. */
export const asAccount = (command: Command, { uid, gid }: Account): Command => ({
  ...command,
  program: 'setpriv',
  args: [`--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--', command.program, ...command.args],
  workingFolder: command.workingFolder ?? '/',
});

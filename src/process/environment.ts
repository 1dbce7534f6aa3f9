import { homedir } from 'node:os';
import { homeFolder } from '../domain/home-folder.ts';
import { Secret } from '../domain/secret.ts';
import type { Command } from '../ports/host.ts';
import type { Account } from './account.ts';

/** Where Debian keeps programs. cron and systemd give shorter lists, without the folders of system administration. */
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The caller's folders, then those of {@link FOLDERS} that it lacks. */
export function searchPath(): string {
  const own = (process.env.PATH ?? '').split(':').filter((folder) => folder.startsWith('/'));
  return [...new Set([...own, ...FOLDERS])].join(':');
}

/** The whole environment of a child. Of the caller's only PATH and HOME are passed on: no UV_THREADPOOL_SIZE, no NODE_…,
 *  no secret that was meant for somebody else. LC_ALL=C, because messages and numbers of programs are parsed. */
export function childEnvironment(command: Command, account: Account | null): Record<string, string> {
  const home = account?.home ?? homeFolder(process.env, homedir);
  const user = account === null ? {} : { USER: account.name, LOGNAME: account.name };
  const base = { PATH: searchPath(), HOME: home, LANG: 'C.UTF-8', LC_ALL: 'C', ...user };
  const given = Object.entries(command.environment ?? {}).map(
    ([name, value]) => [name, value instanceof Secret ? value.reveal() : value] as const,
  );
  return { ...base, ...Object.fromEntries(given) };
}

import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Facts } from '../../../domain/facts.ts';
import type { OpenScratch, ScratchAccount, ScratchPlace } from '../../../ports/scratch.ts';
import { writeText } from '../../../process/write-text.ts';
import { noSql } from '../server/no-sql.ts';
import { giveFolder, writeScratchFile } from '../server/scratch-file.ts';
import { folderWith, notInstalled } from '../server/scratch-programs.ts';
import { type ScratchServer, startScratchServer } from '../server/scratch-server.ts';
import { scanLdif } from './ldif-scanner.ts';
import { firstNameIn, rewriteConfiguration } from './scratch-config.ts';

const ACCOUNTS = ['openldap', 'ldap', 'nobody'] as const;
const PROGRAMS = ['slapd', 'slapadd', 'slapcat'] as const;
/** Bitnami's image. */
const FOLDERS = ['/opt/bitnami/openldap/sbin'] as const;
const [ENTRIES, CONFIGURATION] = ['ldap', 'ldap_config'];
const HEAD_BYTES = 65_536;
const LOOK_LIMIT_MS = 30_000;

interface Parts {
  readonly programs: string;
  readonly version: string;
  readonly account: ScratchAccount | null;
  readonly place: ScratchPlace;
}

/** Folders of a directory of its own, filled by the installed programs, and a server over them on a socket. */
export const openScratch: OpenScratch = async (source, items, place, signal) => {
  if (!items.some(({ name }) => name === CONFIGURATION))
    throw new HoldfastError('ScratchUnusable', `Without ${CONFIGURATION} there is no schema for the entries.`, source, {
      hint: `Drill both: --item ${ENTRIES} --item ${CONFIGURATION}`,
    });
  const parts = await partsOf(place, signal);
  const { folder } = place;
  const there = new Set<string>();
  const opened = new AsyncDisposableStack();
  let [server, suffix]: [ScratchServer | null, string | null] = [null, null];
  const wanted = new Set(items.map(({ name }) => name));
  return {
    tool: { name: 'OpenLDAP', version: parts.version },
    url: () => (server === null ? null : `ldapi://${encodeURIComponent(`${folder}/s`)}`),
    async restore(item, bytes, aborted) {
      const dump = { path: fileOf(item.name, parts), item: item.name, bytes: bytes() };
      await writeScratchFile(dump, parts.account, place, aborted);
      there.add(item.name);
      // both at the last of them: the entries need the schema, whichever comes first
      if (there.size < wanted.size) return [];
      const left = await makeConfiguration(parts, aborted);
      if (wanted.has(ENTRIES)) suffix = await makeEntries(parts, aborted);
      server = opened.use(await start(parts, aborted));
      return left.length === 0 ? [] : [`left out of the configuration: ${left.join(', ')}`];
    },
    async facts(item, aborted) {
      const what = item.name === CONFIGURATION ? ['-n', '0'] : ['-b', suffix ?? ''];
      try {
        return await countedBy(['-F', `${folder}/slapd.d`, ...what], parts, aborted);
      } catch (error) {
        aborted.throwIfAborted();
        throw (await server?.reasonOf(error)) ?? error;
      }
    },
    query: () => Promise.reject(noSql(source, 'a directory', 'command')),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
};

async function partsOf(place: ScratchPlace, signal: AbortSignal): Promise<Parts> {
  const { host, folder, as } = place;
  const programs = await folderWith(PROGRAMS, FOLDERS, host, signal);
  if (programs === null) throw notInstalled('The server of OpenLDAP', host);
  const account = await place.account(ACCOUNTS, signal);
  await giveFolder(account, place, signal);
  await host.run(as(account, { program: 'mkdir', args: ['--mode=0700', '--', `${folder}/slapd.d`] }), { signal });
  const options = { signal, accept: [0, 1], limitMs: LOOK_LIMIT_MS };
  const { stdout, stderrTail } = await host.run({ program: `${programs}/slapd`, args: ['-VV'] }, options);
  const version = /slapd (\d+(?:\.\d+)+)/.exec(`${stdout}\n${stderrTail}`)?.[1] ?? '0';
  return { programs, version, account, place };
}

const fileOf = (item: string, { place }: Parts): string => `${place.folder}/${item}.ldif`;

/** @returns the attributes that it is without */
async function makeConfiguration(parts: Parts, signal: AbortSignal): Promise<readonly string[]> {
  const { place, account } = parts;
  const text = await readFile(fileOf(CONFIGURATION, parts), 'utf8');
  const { ldif, folders, left } = rewriteConfiguration(text, place.folder);
  const folder = { program: 'mkdir', args: ['--mode=0700', '--', ...folders] };
  if (folders.length > 0) await place.host.run(place.as(account, folder), { signal });
  const settings = fileOf('scratch', parts);
  await writeText(settings, ldif, place.host, signal, (command) => place.as(account, command));
  await slapadd(['-n', '0', '-l', settings], parts, signal);
  return left;
}

async function makeEntries(parts: Parts, signal: AbortSignal): Promise<string> {
  const head: Buffer[] = [];
  for await (const chunk of createReadStream(fileOf(ENTRIES, parts), { end: HEAD_BYTES - 1 })) head.push(chunk);
  const suffix = firstNameIn(Buffer.concat(head).toString('utf8'));
  if (suffix === null) throw new HoldfastError('Damaged', 'There is no entry in it.', ENTRIES);
  await slapadd(['-q', '-b', suffix, '-l', fileOf(ENTRIES, parts)], parts, signal);
  return suffix;
}

async function slapadd(
  words: readonly string[],
  { programs, place, account }: Parts,
  signal: AbortSignal,
): Promise<void> {
  const args = ['-F', `${place.folder}/slapd.d`, ...words];
  try {
    await place.host.run(place.as(account, { program: `${programs}/slapadd`, args }), { signal });
  } catch (error) {
    signal.throwIfAborted();
    const said = error instanceof HoldfastError && error.cause instanceof Error ? error.cause.message : String(error);
    const lacking = /[^\n]*(?:module_load|lt_dlopenext|file not found|Permission denied)[^\n]*/i.exec(said)?.[0];
    if (lacking !== undefined)
      throw new HoldfastError('ScratchUnusable', `slapadd cannot work here: ${lacking.trim()}`, 'ldap', {
        cause: error,
      });
    const words = said.trim().split('\n').slice(0, 3).join(' ').slice(0, 400);
    throw new HoldfastError('SourceFailed', `slapadd does not take it: ${words}`, 'ldap', { cause: error });
  }
}

function start({ programs, version, place, account }: Parts, signal: AbortSignal): Promise<ScratchServer> {
  const { folder, host } = place;
  const address = `ldapi://${encodeURIComponent(`${folder}/s`)}`;
  const args = ['-F', `${folder}/slapd.d`, '-h', address, '-d', '0'];
  return startScratchServer(
    {
      name: `OpenLDAP ${version}`,
      command: place.server(account, { program: `${programs}/slapd`, args }),
      answers: async () => (await host.files.status(`${folder}/s`, signal)) !== null,
    },
    place,
    signal,
  );
}

async function countedBy(
  words: readonly string[],
  { programs, place, account }: Parts,
  signal: AbortSignal,
): Promise<Facts> {
  const scan = scanLdif();
  const command = place.as(account, { program: `${programs}/slapcat`, args: words });
  for await (const chunk of place.host.read([command], { signal })) scan.take(chunk);
  const scanned = scan.end();
  if ('malformed' in scanned)
    throw new HoldfastError('Damaged', `What slapcat gives is no LDIF: ${scanned.malformed}.`, 'ldap');
  return scanned;
}

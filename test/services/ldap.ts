import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const START_LIMIT_MS = 30_000;
const SBIN = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };

export const SUFFIX = 'dc=home,dc=lan';
const ADMIN = `cn=admin,${SUFFIX}`;
const ADMIN_PASSWORD = 'directory';

/** The folders of an OpenLDAP server, and its programs. No account but the caller's is needed. */
export interface Directory extends AsyncDisposable {
  readonly folder: string;
  /** cn=config. */
  readonly config: string;
  /** Where the entries are. */
  readonly data: string;
  /** A program of OpenLDAP; what it prints. @throws with its stderr */
  tool(program: string, ...args: readonly string[]): Promise<string>;
}

export interface DirectoryServer extends AsyncDisposable {
  readonly pid: number;
  /** Every entry with its operational attributes, the attributes sorted, one line each. */
  search(base?: string): Promise<readonly string[]>;
  /** Adds entries over LDAP. */
  add(ldif: string): Promise<void>;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** The settings of a server with one database, as LDIF. */
export const settingsOf =
  (suffix: string) =>
  (data: string): string =>
    `dn: cn=config
objectClass: olcGlobal
cn: config

dn: cn=module{0},cn=config
objectClass: olcModuleList
cn: module{0}
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

include: file:///etc/ldap/schema/core.ldif
include: file:///etc/ldap/schema/cosine.ldif
include: file:///etc/ldap/schema/inetorgperson.ldif

dn: olcDatabase={1}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {1}mdb
olcSuffix:: ${base64(suffix)}
olcRootDN:: ${base64(`cn=admin,${suffix}`)}
olcRootPW: ${ADMIN_PASSWORD}
olcDbDirectory: ${data}
olcDbMaxSize: 268435456
`;

/** Folders of a server with nothing in it; `ldif` gives other settings. */
export async function directory(
  entries = '',
  ldif: ((data: string) => string) | null = settingsOf(SUFFIX),
): Promise<Directory> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-ldap-'));
  const [config, data] = [join(folder, 'slapd.d'), join(folder, 'data')];
  for (const made of [config, data]) await mkdir(made, { mode: 0o700 });
  const tool: Directory['tool'] = async (program, ...args) =>
    (await execute(program, args, { env: SBIN, maxBuffer: 2 ** 28 })).stdout;
  if (ldif !== null) {
    await writeFile(join(folder, 'config.ldif'), ldif(data));
    await tool('slapadd', '-n', '0', '-F', config, '-l', join(folder, 'config.ldif'));
  }
  if (entries !== '') {
    await writeFile(join(folder, 'entries.ldif'), entries);
    await tool('slapadd', '-F', config, '-b', SUFFIX, '-l', join(folder, 'entries.ldif'));
  }
  return { folder, config, data, tool, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Starts a server over a directory, on a socket in its folder. */
export async function startDirectory({ folder, config, tool }: Directory): Promise<DirectoryServer> {
  const address = `ldapi://${encodeURIComponent(join(folder, 'ldapi'))}`;
  // A test process that is killed takes its server along; `-d 0` keeps it in the foreground.
  const words = ['--pdeathsig', 'KILL', 'slapd', '-F', config, '-h', address, '-d', '0'];
  const server = spawn('setpriv', words, { env: SBIN, stdio: 'ignore' });
  const closed = once(server, 'exit');
  const login = ['-x', '-H', address, '-D', ADMIN, '-w', ADMIN_PASSWORD];
  const search: DirectoryServer['search'] = async (base = SUFFIX) => {
    const said = await tool('ldapsearch', '-LLL', '-o', 'ldif-wrap=no', ...login, '-b', base, '*', '+');
    const entries = said.split('\n\n').filter((entry) => entry !== '');
    return entries.map((entry) => JSON.stringify(entry.split('\n').toSorted())).toSorted();
  };
  const deadline = performance.now() + START_LIMIT_MS;
  while (!(await tool('ldapwhoami', ...login).catch(() => ''))) {
    if (server.exitCode !== null || performance.now() > deadline) throw new Error('slapd does not answer');
    await sleep(20);
  }
  return {
    pid: server.pid ?? 0,
    search,
    async add(ldif) {
      const path = join(folder, 'add.ldif');
      await writeFile(path, ldif);
      await tool('ldapadd', ...login, '-f', path);
    },
    async [Symbol.asyncDispose]() {
      server.kill('SIGTERM');
      await closed;
    },
  };
}

/** What `init` found on a machine. Paths are absolute. */
export interface Findings {
  /** A folder that looks like a service's, and the SQLite databases in it. */
  readonly folders: readonly { readonly path: string; readonly databases: readonly string[] }[];
  readonly containers: readonly { readonly name: string; readonly image: string }[];
  /** Database servers that run: `postgres`, `mariadb`, `redis`, `ldap`. */
  readonly servers: readonly string[];
  /** Mount points of BTRFS file systems. */
  readonly pools: readonly string[];
  /** Service units that are loaded. */
  readonly units: readonly string[];
}

/** Names of the configuration (interface, section 1) from names of folders. */
function serviceName(folder: string): string {
  const name = (folder.split('/').at(-1) ?? '').replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return name === '' ? 'service' : name.slice(0, 64);
}

/** As it is where YAML takes it for text, else as a JSON string, which is a YAML string. */
const quoted = (text: string): string =>
  /^(?!true$|false$|null$)(?:\/|[a-z])[\w/.-]*$/i.test(text) ? text : JSON.stringify(text);
const unit = (name: string, units: readonly string[]): string | undefined =>
  units.find((candidate) => candidate === `${name}.service`);

/** Two folders of one name get a number: `app`, `app-2`. */
function named(folders: Findings['folders']): ReadonlyMap<string, Findings['folders'][number]> {
  const services = new Map<string, Findings['folders'][number]>();
  for (const folder of folders) {
    const name = serviceName(folder.path);
    let free = name;
    for (let number = 2; services.has(free); number++) free = `${name.slice(0, 60)}-${number}`;
    services.set(free, folder);
  }
  return services;
}

function serviceLines(
  name: string,
  { path, databases }: Findings['folders'][number],
  units: readonly string[],
): string[] {
  const running = unit(name, units);
  // a database is dumped by a source of its own, which counts its rows, and so the tree leaves it out
  const exclude =
    databases.length === 0 ? '' : `, exclude: [${databases.map((file) => quoted(`${file}*`)).join(', ')}]`;
  return [
    `  ${quoted(name)}:`,
    ...(running
      ? [`    # its unit is ${running}; to stop it for a restore in place: units: [{ systemd: ${running} }]`]
      : []),
    '    sources:',
    `      files: { files: [${quoted(path)}]${exclude} }`,
    ...databases.map((file, index) => `      ${index === 0 ? 'db' : `db${index + 1}`}: { sqlite: ${quoted(file)} }`),
  ];
}

function notBuiltLines({ containers, servers, pools }: Findings): string[] {
  const found = [
    ...containers.map(({ name, image }) => `container ${name} (${image})`),
    ...servers.map((server) => `a ${server} server`),
    ...pools.map((pool) => `a BTRFS file system at ${pool}`),
  ];
  if (found.length === 0) return [];
  return [
    '',
    '# Also found here, for kinds of sources that this version does not have yet:',
    ...found.map((line) => `#   ${line}`),
  ];
}

/** A configuration to start from, with comments; it passes `config check`. */
export function proposal(findings: Findings, repository: string): string {
  const services = [...named(findings.folders)];
  const example = [
    '  # wiki:',
    '  #   sources:',
    '  #     files: { files: [/srv/wiki], exclude: ["*.log", ".cache"] }',
  ];
  return [
    '# Written by `holdfast init` from what it found on this machine: read it, take out what you do not want back, then',
    '#   holdfast config check && holdfast repository init local && holdfast backup',
    '# All settings: holdfast config sample',
    'version: 1',
    '',
    'repositories:',
    '  # Put it on another disk than the data. Seal it with age when others can read that disk:',
    '  #   encryption: { age: { recipients: [age1…], identities: [{ file: /root/holdfast.key }] } }',
    `  local: { engine: archive, path: ${quoted(repository)} }`,
    '',
    ...(services.length === 0
      ? ['# Nothing was found under /opt and /srv. A service looks like this:', 'services: {}', ...example]
      : ['services:']),
    ...services.flatMap(([name, folder]) => serviceLines(name, folder, findings.units)),
    '',
    'plans:',
    '  nightly:',
    "    services: '*'",
    '    repositories: [local]',
    '    retention: { latest: 3, daily: 7, weekly: 4, monthly: 12 }',
    '    # schedules come with a later version; until then, from cron: holdfast run nightly',
    ...notBuiltLines(findings),
    '',
  ].join('\n');
}

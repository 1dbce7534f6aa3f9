import { expect, test } from 'vitest';
import { check, errorsOf } from './texts.ts';

/** What is written, with a mark before each fault, and what is said of each, in their order. */
const FAULTS: Readonly<Record<string, readonly [marked: string, ...errors: string[]]>> = {
  'an empty file': [
    `
▸
`,
    'It is empty: it needs at least "version: 1".',
  ],
  'a list': [
    `
▸- a
`,
    'It must be a mapping of keys.',
  ],
  'no version': [
    `
▸services: {}
`,
    '"version" is missing: it is 1.',
  ],
  'another version': [
    `
version: ▸2
`,
    'version: Must be 1, and is 2.',
  ],
  'an unknown section': [
    `
version: 1
▸servces: {}
`,
    'servces: Unknown key "servces". Did you mean "services"?',
  ],
  'a tab': [
    `
version: 1
hosts:
▸\tnas: {}
`,
    'Indent with spaces, not with tabs.',
  ],
  'a key twice': [
    `
version: 1
services: {}
plans: {}
▸services: {}
`,
    'The key "services" stands here for the second time.',
  ],
  'two documents': [
    `
version: 1
▸---
version: 1
`,
    'A second document begins here ("---"). Write one document a file; more files go to conf.d.',
  ],
  'an alias without an anchor': [
    `
version: 1
plans: ▸*here
`,
    'There is no anchor &here before this alias.',
  ],
  'an alias in its own anchor': [
    `
version: 1
plans: &here { a: ▸*here }
`,
    'The anchor &here holds this alias itself.',
  ],
  'a foreign tag': [
    `
version: 1
plans: !!binary ▸aGk=
`,
    'The tag tag:yaml.org,2002:binary is not known here: write the value without it.',
  ],
  'a key that is no text': [
    `
version: 1
? ▸[a]
: b
`,
    'A key must be plain text.',
  ],
  'a prototype as a key': [
    `
version: 1
services: { ▸__proto__: {} }
`,
    'The key "__proto__" is not allowed.',
  ],
  'a control character': [
    `
version: 1
staging: "/a▸\u0007"
`,
    'A control character stands here, which YAML does not allow.',
  ],
  'an older YAML': [
    `
▸%YAML 1.1
---
version: 1
`,
    'Only YAML 1.2 is read: leave the %YAML line out.',
  ],
  'a name with a space': [
    `
version: 1
services:
  ▸my wiki: { sources: { d: { sqlite: /a } } }
`,
    'services.my wiki: A name is a letter or digit, then at most 63 letters, digits, ".", "_" or "-".',
  ],
  'a section without content': [
    `
version: 1
▸services:
`,
    'services: Must be a mapping, and is empty.',
  ],
  'an unknown engine': [
    `
version: 1
repositories:
  b2: { engine: ▸rstic, location: b2:x }
`,
    'repositories.b2.engine: "rstic" is no engine: it is archive, restic or kopia. Did you mean "restic"?',
  ],
  'no engine': [
    `
version: 1
repositories:
  ▸disk: { path: /srv/b }
`,
    'repositories.disk: "engine" is missing: archive, restic or kopia.',
  ],
  'a repository without a path': [
    `
version: 1
repositories:
  ▸disk: { engine: archive, ▸pth: /srv/b }
`,
    'repositories.disk: "path" is missing.',
    'repositories.disk.pth: Unknown key "pth". Did you mean "path"?',
  ],
  'an unknown compression': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, compression: ▸zst }
`,
    'repositories.disk.compression: Must be "zstd", "gzip", "none" or a mapping with format, and is "zst". Did you mean "zstd"?',
  ],
  'a level that gzip lacks': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, compression: { format: gzip, level: ▸12 } }
`,
    'repositories.disk.compression.level: The levels of gzip are 1 to 9.',
  ],
  'a level of zstd that is too high': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, compression: { format: zstd, level: ▸20 } }
`,
    'repositories.disk.compression.level: Must be at most 19.',
  ],
  'nobody who could open it': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, encryption: { age: { recipients: ▸[] } } }
`,
    'repositories.disk.encryption.age.recipients: Name at least one recipient, or nobody can open what is sealed.',
  ],
  'a secret key as a recipient': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, encryption: { age: { recipients: [▸AGE-SECRET-KEY-1QQ] } } }
`,
    'repositories.disk.encryption.age.recipients[0]: Write an age recipient: age1…',
  ],
  'a secret from nowhere': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, encryption: { gpg: { passphrase: { ▸fil: /k } } } }
`,
    'repositories.disk.encryption.gpg.passphrase.fil: Unknown key "fil". Did you mean "file"?',
  ],
  'a setting of another engine': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, ▸environment: {} }
`,
    'repositories.disk.environment: Unknown key "environment". Known here: engine, path, layout, filename, compression, encryption, share, adopt, offsite, media or capacity.',
  ],
  'a file name with a conversion that is none': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, layout: single, filename: ▸"b-%Q.tar.gz" }
`,
    "repositories.disk.filename: %Q in the filename b-%Q.tar.gz cannot stand in a file's name.",
  ],
  'a file name that no listing would look at': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, layout: single, filename: ▸".b-%s.tar.gz" }
`,
    'repositories.disk.filename: The name must not begin with a dot: such archives would not be listed.',
  ],
  'a file name that says another compression': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, layout: single, compression: zstd, filename: ▸"b.tar.gz" }
`,
    'repositories.disk.filename: The name says gzip, and the compression is zstd.',
  ],
  'a file name for folders': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, ▸filename: "b.tar.gz" }
`,
    'repositories.disk.filename: Only archives of "layout: single" have a name of their own.',
  ],
  'a size in words': [
    `
version: 1
repositories:
  disk: { engine: archive, path: /srv/b, capacity: ▸much }
`,
    'repositories.disk.capacity: Write a size: 500MiB, 10GiB or 2TB.',
  ],
  'one folder for two repositories': [
    `
version: 1
repositories:
  a: { engine: archive, path: /srv/b }
  b: { engine: archive, path: ▸/srv/x/../b/ }
`,
    'repositories.b.path: The repository "a" has this folder already.',
  ],
  'an unknown kind of source': [
    `
version: 1
services:
  wiki:
    sources:
      data: { ▸postgress: { database: a } }
`,
    'services.wiki.sources.data.postgress: Unknown key "postgress". Did you mean "postgres"?',
  ],
  'a source of no kind': [
    `
version: 1
services:
  wiki:
    sources:
      ▸data: {}
`,
    'services.wiki.sources.data: One of these is missing: files, sqlite, postgres, mariadb, ldap, redis, couchdb, volume or btrfs.',
  ],
  'a source of two kinds': [
    `
version: 1
services:
  wiki:
    sources:
      data: { files: [/a], ▸sqlite: /b }
`,
    'services.wiki.sources.data.sqlite: Write one of files or sqlite, not both.',
  ],
  'an unknown key of a source': [
    `
version: 1
services:
  wiki:
    sources:
      data: { files: [/a], ▸exlude: [x] }
`,
    'services.wiki.sources.data.exlude: Unknown key "exlude". Did you mean "exclude"?',
  ],
  'a path where a list belongs': [
    `
version: 1
services:
  wiki:
    sources:
      data: { files: ▸/a }
`,
    'services.wiki.sources.data.files: Must be a list, and is text.',
  ],
  'a home folder': [
    `
version: 1
services:
  wiki:
    sources:
      data: { sqlite: ▸~/notes.db }
`,
    'services.wiki.sources.data.sqlite: The home folder is not expanded: write the whole path.',
  ],
  'a number where text belongs': [
    `
version: 1
services:
  wiki:
    sources:
      data: { sqlite: ▸12 }
`,
    'services.wiki.sources.data.sqlite: Must be text, and is 12: put it in quotes.',
  ],
  'a server that is reached in two ways': [
    `
version: 1
services:
  wiki:
    sources:
      data: { postgres: ▸{ container: a, host: b } }
`,
    'services.wiki.sources.data.postgres: Name the server in one way: container, socket, or host and port.',
  ],
  'a service without sources': [
    `
version: 1
services:
  wiki: { ▸sources: {} }
`,
    'services.wiki.sources: A service needs at least one source.',
  ],
  'two sources whose items would have one name': [
    `
version: 1
services:
  wiki:
    sources:
      cache: { redis: { socket: /run/a } }
      ▸other: { redis: { socket: /run/b } }
      people: { ldap: { suffix: dc=a } }
      ▸groups: { ldap: { suffix: dc=b } }
      pg: { postgres: { socket: /run/a, databases: [wiki, blog], globals: true } }
      ▸roles: { postgres: { socket: /run/b, globals: true } }
      ▸wiki: { postgres: { socket: /run/c, database: wiki } }
      same: { mariadb: { socket: /run/d, database: wiki } }
      all: { postgres: { socket: /run/e, databases: all } }
      ▸every: { postgres: { socket: /run/f, databases: all } }
`,
    'services.wiki.sources.other: "cache" makes the item "redis" already: give "other" a service of its own.',
    'services.wiki.sources.groups: "people" makes the item "ldap" already: give "groups" a service of its own.',
    'services.wiki.sources.roles: "pg" makes the item "postgres_globals" already: give "roles" a service of its own.',
    'services.wiki.sources.wiki: "pg" makes the item "postgres_wiki" already: give "wiki" a service of its own.',
    'services.wiki.sources.every: "all" makes the item "postgres_postgres" already: give "every" a service of its own.',
  ],
  'a tier that is none': [
    `
version: 1
services:
  wiki: { tier: ▸critcal, sources: { d: { sqlite: /a } } }
`,
    'services.wiki.tier: Must be "critical", "important" or "replaceable", and is "critcal". Did you mean "critical"?',
  ],
  'an objective without a unit': [
    `
version: 1
services:
  wiki: { objectives: { rpo: ▸24 }, sources: { d: { sqlite: /a } } }
`,
    'services.wiki.objectives.rpo: Write a duration: 90s, 5m, 36h, 7d or 2w.',
  ],
  'a check that is none': [
    `
version: 1
services:
  wiki:
    sources: { d: { sqlite: /a } }
    checks:
      - { ▸htp: http://a }
`,
    'services.wiki.checks[0].htp: Unknown key "htp". Did you mean "http"?',
  ],
  'a host that is not declared': [
    `
version: 1
hosts: { nas: { ssh: root@nas } }
services:
  wiki:
    host: ▸nsa
    sources: { d: { sqlite: /a } }
`,
    'services.wiki.host: There is no host "nsa". Did you mean "nas"?',
  ],
  'this machine as a host of its own': [
    `
version: 1
hosts:
  ▸local: { ssh: root@nas }
`,
    'hosts.local: "local" is this machine and always exists: use another name.',
  ],
  'a service that is not declared': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
services: { wiki: { sources: { d: { sqlite: /a } } } }
plans:
  nightly:
    services:
      - wiki
      - ▸wikki
    repositories: [disk]
`,
    'plans.nightly.services[1]: There is no service "wikki". Did you mean "wiki"?',
  ],
  'a repository that is not declared': [
    `
version: 1
plans:
  nightly: { services: '*', repositories: [▸disk] }
`,
    'plans.nightly.repositories[0]: There is no repository "disk". None is declared.',
  ],
  'a source that its check does not find': [
    `
version: 1
services:
  wiki:
    sources: { db: { sqlite: /a } }
    checks: [{ sql: { source: ▸dp, query: select 1 } }]
`,
    'services.wiki.checks[0].sql.source: There is no source of this service "dp". Did you mean "db"?',
  ],
  'services that wait for each other': [
    `
version: 1
services:
  a: { dependsOn: ▸[b], sources: { d: { sqlite: /a } } }
  b: { dependsOn: ▸[a], sources: { d: { sqlite: /a } } }
`,
    'services.a.dependsOn: "a" depends on itself, directly or through others.',
    'services.b.dependsOn: "b" depends on itself, directly or through others.',
  ],
  'a notification of a plan that is not declared': [
    `
version: 1
notifications:
  - { ntfy: https://ntfy.sh/a, plans: [▸nigthly] }
`,
    'notifications[0].plans[0]: There is no plan "nigthly". None is declared.',
  ],
  'a repository twice in a plan': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
plans:
  nightly: { services: '*', repositories: [disk, ▸disk] }
`,
    'plans.nightly.repositories[1]: "disk" stands here twice.',
  ],
  'a plan for nothing': [
    `
version: 1
plans:
  nightly: ▸{}
`,
    'plans.nightly: A plan has either services or subvolumes.',
  ],
  'a plan to nowhere': [
    `
version: 1
plans:
  nightly: ▸{ services: '*' }
`,
    'plans.nightly: A plan over services needs repositories.',
  ],
  'an hour that is none': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
plans:
  nightly: { services: '*', repositories: [disk], schedule: ▸'0 25 * * *' }
`,
    'plans.nightly.schedule: "25" is no hour: it goes from 0 to 23.',
  ],
  'a day that never comes': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
plans:
  nightly: { services: '*', repositories: [disk], schedule: ▸'0 2 30 2 *' }
`,
    'plans.nightly.schedule: "0 2 30 2 *" never comes: no such month has a day 30.',
  ],
  'words that are no schedule': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
plans:
  nightly: { services: '*', repositories: [disk], schedule: ▸every night }
`,
    "plans.nightly.schedule: \"every night\" is no schedule: write five cron fields as in '0 2 * * *', or words as in 'Sun 04:00', 'first Sun 06:00'.",
  ],
  'a schedule in a mapping with a wrong key': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
plans:
  nightly: { services: '*', repositories: [disk], schedule: { quiet: 30m, ▸betwen: 00:00-06:00 } }
`,
    'plans.nightly.schedule.betwen: Unknown key "betwen". Did you mean "between"?',
  ],
  'a zone that is none': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
plans:
  nightly: { services: '*', repositories: [disk], timezone: ▸Mars/Base }
`,
    'plans.nightly.timezone: Write a time zone by its IANA name: UTC, Europe/Berlin',
  ],
  'less than no points': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
plans:
  nightly: { services: '*', repositories: [disk], retention: { daily: ▸-1 } }
`,
    'plans.nightly.retention.daily: A number of points is 0 or more.',
  ],
  'half a point': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
plans:
  nightly: { services: '*', repositories: [disk], retention: { weekly: ▸1.5 } }
`,
    'plans.nightly.retention.weekly: Must be a whole number, and is 1.5.',
  ],
  'a retention that no tool has': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
plans:
  nightly: { services: '*', repositories: [disk], retention: { ▸anual: 3 } }
`,
    'plans.nightly.retention.anual: Unknown key "anual". Known here: latest, hourly, daily, weekly, monthly, yearly, within or leeway.',
  ],
  'an empty pattern': [
    `
version: 1
services: { wiki: { sources: { data: { files: [/srv/wiki], exclude: [▸''] } } } }
`,
    'services.wiki.sources.data.exclude[0]: A pattern is not empty and has no negation. Write \\! for a name that begins so.',
  ],
  'a name of archives that breaks each rule': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b, layout: single, filename: ▸'.a/%Q.zip' } }
`,
    'repositories.disk.filename: Write the name of a file, without a folder.',
  ],
  'a duration of nothing': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
plans:
  nightly: { services: '*', repositories: [disk], jitter: ▸0m }
`,
    'plans.nightly.jitter: A duration must be above zero.',
  ],
  'a bound without its sign': [
    `
version: 1
repositories: { disk: { engine: archive, path: /srv/b } }
plans:
  nightly: { services: '*', repositories: [disk], anomaly: { shrink: ▸50 } }
`,
    'plans.nightly.anomaly.shrink: Write a percentage: 10% or 300%.',
  ],
};

/** `LINE:COLUMN` of each mark. */
function placesIn(marked: string): string[] {
  return marked.split('\n').flatMap((line, index) =>
    line
      .split('▸')
      .slice(0, -1)
      .map((_, count, parts) => `${index + 1}:${parts.slice(0, count + 1).join('').length + 1}`),
  );
}

test.for(Object.entries(FAULTS))('%s is said with its line and column', ([, [marked, ...errors]]) => {
  const text = marked.slice(1); // the template begins on a line of its own
  const checked = check(text.replaceAll('▸', ''));
  expect(errorsOf(checked)).toEqual(placesIn(text).map((place, index) => `${place}: ${errors[index]}`));
  expect(checked.loaded).toBeNull();
});

test('all faults of a file are said at once, broken references among them', () => {
  const text = `version: 1
repositories:
  disk: { engine: archive, path: /srv/b, compresion: zstd }
services:
  wiki: { sources: { db: { sqlite: 7 } } }
plans:
  nightly: { services: [wiki, blog], repositories: [disk, dsk], timezone: Nowhere }
`;
  expect(errorsOf(check(text))).toEqual([
    '3:42: repositories.disk.compresion: Unknown key "compresion". Did you mean "compression"?',
    '5:36: services.wiki.sources.db.sqlite: Must be text, and is 7: put it in quotes.',
    '7:31: plans.nightly.services[1]: There is no service "blog". There are: wiki.',
    '7:59: plans.nightly.repositories[1]: There is no repository "dsk". Did you mean "disk"?',
    '7:75: plans.nightly.timezone: Write a time zone by its IANA name: UTC, Europe/Berlin',
  ]);
});

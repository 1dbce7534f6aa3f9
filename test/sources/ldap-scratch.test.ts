import { expect, test } from 'vitest';
import { firstNameIn, rewriteConfiguration } from '../../src/adapters/sources/ldap/scratch-config.ts';

test('the configuration of a scratch directory names no live folder, replica, key or server', () => {
  const live = `dn: cn=config
objectClass: olcGlobal
olcPidFile: /run/slapd/slapd.pid
olcTLSCertificateKeyFile: /etc/ldap/key.pem
olcServerID: 1 ldap://one.home.lan

dn: olcDatabase={1}mdb,cn=config
olcSuffix: dc=home,dc=lan
olcDbDirectory:: L3Zhci9saWIvbGRhcA==
olcSyncrepl: {0}rid=001 provider=ldap://two.home.lan bindmethod=simple credentials=
 s3cret
olcMultiProvider: TRUE

dn: olcOverlay={0}accesslog,olcDatabase={1}mdb,cn=config
objectClass: olcAccessLogConfig

dn: olcDatabase={2}mdb,cn=config
olcDbDirectory: /var/lib/ldap/a long folder whose name
  is folded
`;
  const { ldif, folders, left } = rewriteConfiguration(live, '/scratch/3');
  expect(folders).toEqual(['/scratch/3/data-0', '/scratch/3/data-1']);
  expect(left).toEqual(['olcPidFile', 'olcTLSCertificateKeyFile', 'olcServerID', 'olcSyncrepl', 'olcMultiProvider']);
  expect(ldif).not.toMatch(/\/(var|run|etc)\/|home\.lan\b(?!.*dc=)|s3cret|L3Zh/);
  expect(ldif.match(/^dn: /gm)).toHaveLength(4);
  expect(ldif.match(/^olcDbDirectory: \/scratch\/3\/data-\d$/gm)).toHaveLength(2);
});

test('the suffix of a dump is the name of its first entry, folded or coded as it may be', () => {
  expect(firstNameIn('dn: dc=home,\n dc=lan\nobjectClass: top\n\ndn: ou=x,dc=home,dc=lan\n')).toBe('dc=home,dc=lan');
  expect(firstNameIn(`dn:: ${Buffer.from('o=größe').toString('base64')}\n`)).toBe('o=größe');
  expect(firstNameIn('# nothing\n')).toBeNull();
});

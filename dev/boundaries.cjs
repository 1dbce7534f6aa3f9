const { Visitor } = require('@swc/core/Visitor.js');

// swc parses `using` and `await using`, yet its visitor, with which dependency-cruiser walks the tree, does not know
// them and throws. What is declared by them is walked like any other variable.
const { visitStatement } = Visitor.prototype;
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement);
  statement.decls = this.visitVariableDeclarators(statement.decls);
  return statement;
};

// Who may import whom (docs/concepts.md, "The house"): one row per folder of src, everything else in src is forbidden.
const house = {
  domain: [],
  ports: ['domain'],
  process: ['domain', 'ports'],
  streams: ['domain', 'ports'],
  catalog: ['domain', 'ports'],
  journal: ['domain', 'ports'],
  operations: ['domain', 'ports', 'journal'],
  config: ['domain', 'adapters/registry.ts', 'adapters/[^/]+/[^/]+/config.ts'],
  cli: ['domain', 'ports', 'operations', 'config'],
};
const rules = Object.entries(house).map(([folder, allowed]) => ({
  name: `${folder}-imports`,
  comment: `${folder} may import: itself${allowed.map((name) => `, ${name}`).join('')}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: [folder, ...allowed].map((name) => `^src/${name}${name.endsWith('.ts') ? '$' : '/'}`) },
}));

module.exports = {
  forbidden: [
    ...rules,
    {
      name: 'adapters-stand-alone',
      comment:
        'an adapter may import domain, ports, process, streams and its own folder, never another adapter; ' +
        'sources share how trees and databases are read and servers reached, units how containers are spoken of, validators how something is ' +
        'tried, which are no adapters',
      severity: 'error',
      from: { path: '^src/adapters/([^/]+/[^/]+)/' },
      to: {
        path: '^src/',
        pathNot: [
          '^src/(domain|ports|process|streams)/',
          '^src/adapters/$1/',
          '^src/adapters/sources/(tree|online-backup|server)/',
          '^src/adapters/snapshotters/pool/',
          '^src/adapters/units/engine/',
          '^src/adapters/validators/probe/',
        ],
      },
    },
    {
      name: 'domain-is-pure',
      comment: 'domain knows no file system, no clock, no process',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};

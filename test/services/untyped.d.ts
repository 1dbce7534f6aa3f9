declare module 'express-pouchdb';
declare module 'pouchdb-adapter-memory';
declare module 'pouchdb-core';
declare module 'pouchdb-mapreduce';

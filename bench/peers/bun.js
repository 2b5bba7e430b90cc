// say.js on Bun, with `bun bun.js`; lesson.js with `bun bun.js lesson`.
'use strict';

if (!process.versions.bun) throw new Error('bun.js needs Bun: node_modules/@oven/bun-linux-x64/bin/bun bun.js');

require(process.argv[2] === 'lesson' ? './lesson.js' : './say.js');

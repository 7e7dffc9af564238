// How everything is bundled that runs on Node: `bundle` is esbuild with what all bundles have in common.
import { join } from 'node:path';
import { build } from 'esbuild';

export function bundle(options) {
  return build({
    absWorkingDir: join(import.meta.dirname, '..'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    // CommonJS packages in the bundle call require(), which an ES module does not have.
    banner: {
      js: [
        `import { createRequire as bannerCreateRequire } from 'node:module';`,
        `const require = bannerCreateRequire(import.meta.url);`,
      ].join('\n'),
    },
    logLevel: 'warning',
    ...options,
  });
}

// What scripts/page.ts bundles: an import with `type: "file"` gives the path.
declare module "*/dist/ui/page.js" {
  const path: string;
  export default path;
}
declare module "*/dist/ui/page.css" {
  const path: string;
  export default path;
}

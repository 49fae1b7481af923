// The files of swagger-ui that the executable carries: an import with `type: "file"` gives their path.
declare module "swagger-ui-dist/*" {
  const path: string;
  export default path;
}

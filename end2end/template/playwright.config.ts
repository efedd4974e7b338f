import app from "../playwright.config";

/** The app of the template, in the same browsers. */
export default { ...app, testDir: "." };

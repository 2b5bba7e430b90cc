import { defineConfig } from "vite";

export default defineConfig({
  // Copied into dist as they are: the lesson's script stays word for word.
  publicDir: "static",
  build: {
    // The page's Content-Security-Policy has no room for generated inline code, nor for styles in data: addresses.
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: {
      input: ["index.html", "login.html", "register.html", "account.html", "chat.html"],
      // Served by fanfare at these very paths.
      external: ["/public/client.js", "/socket.io/socket.io.esm.min.js"],
    },
  },
});

// The words of mail, as shared/manyhands/wire.py spells them. A test compares the two.

export const Mail = {
  ADD_NOTIFICATION: "add_notification", FILE_DOWNLOAD: "file_download", OPEN_URL: "open_url", SET_PAGE: "set_page",
  SET_ROUTE_VARS: "set_route_vars", IMPORT_STYLESHEET: "import_stylesheet", IMPORT_SCRIPT: "import_script",
  IMPORT_FRONTEND_MODULE: "import_frontend_module", CALL_FRONTEND_FUNCTION: "call_frontend_function",
};

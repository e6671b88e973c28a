"""An experiment as a document: one page of HTML, one of Markdown, and tables for papers."""

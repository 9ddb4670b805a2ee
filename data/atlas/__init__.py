"""The maker of the atlas: facts from packaged sources, pages in our own words."""

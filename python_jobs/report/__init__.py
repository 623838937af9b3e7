"""`shelfcast report`: the page marts as one HTML file that needs no network."""

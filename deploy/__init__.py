"""What puts Shelfcast on Google Cloud; the checks of it are Python."""

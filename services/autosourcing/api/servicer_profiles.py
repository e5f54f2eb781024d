"""The methods of AutoSourcingService about profiles."""
# ruff: noqa: ARG002 - the signatures are the contract's

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import (
    requests,
    requests_pages,
    requests_profiles,
    responses_profiles,
)
from services.autosourcing.usecases.profiles import Profiles
from services.chassis.rpc.call import Context


class ProfileMethods:
    """The part of the servicer that answers about profiles."""

    _profiles: Profiles

    async def CreateProfile(
        self, request: pb.CreateProfileRequest, context: Context
    ) -> pb.CreateProfileResponse:
        """Save a profile."""
        asked = requests.request("CreateProfile", request)
        saved = await self._profiles.create(asked, requests_profiles.new(request))
        return pb.CreateProfileResponse(profile=responses_profiles.profile(saved))

    async def GetProfile(
        self, request: pb.GetProfileRequest, context: Context
    ) -> pb.GetProfileResponse:
        """Read a profile."""
        found = await self._profiles.read(requests.last_id(request.name))
        return pb.GetProfileResponse(profile=responses_profiles.profile(found))

    async def ListProfiles(
        self, request: pb.ListProfilesRequest, context: Context
    ) -> pb.ListProfilesResponse:
        """List profiles."""
        size = requests_pages.size(request.page_size)
        after = requests_pages.profile_place(request, request.page_token)
        page = await self._profiles.page(after, size)
        last = page.next_place
        return pb.ListProfilesResponse(
            profiles=[responses_profiles.profile(each) for each in page.items],
            next_page_token=requests_pages.token(request, last) if last else "",
            unreachable=page.unreadable,
        )

    async def UpdateProfile(
        self, request: pb.UpdateProfileRequest, context: Context
    ) -> pb.UpdateProfileResponse:
        """Change a profile."""
        saved = await self._profiles.update(
            requests.request("UpdateProfile", request),
            requests.last_id(request.profile.name),
            requests_profiles.change(request),
            etag=request.profile.etag,
        )
        return pb.UpdateProfileResponse(profile=responses_profiles.profile(saved))

    async def DeleteProfile(
        self, request: pb.DeleteProfileRequest, context: Context
    ) -> pb.DeleteProfileResponse:
        """Delete a profile."""
        asked = requests.request("DeleteProfile", request)
        await self._profiles.delete(asked, requests.last_id(request.name), etag=request.etag)
        return pb.DeleteProfileResponse()
